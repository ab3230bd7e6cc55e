/** Commands in a container, for probes (feature 7-016) and hooks. */
import { CriError, type Cri } from '../../host/cri/cri.ts';
import { errored, failure, MAX_OUTPUT, succeeded, type Outcome } from './outcome.ts';

/** Exit code 0 is success, any other a failure, and so is taking too long. Never throws. */
export async function probeExec(
  cri: Pick<Cri, 'execSync'>,
  containerId: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<Outcome> {
  const seconds = Math.max(1, Math.ceil(timeoutMs / 1000));
  try {
    const { stdout, stderr, exitCode } = await cri.execSync(containerId, command, seconds);
    const output = Buffer.concat([stdout, stderr]).subarray(0, MAX_OUTPUT).toString();
    return exitCode === 0
      ? succeeded(output)
      : failure(output === '' ? `command exited with code ${String(exitCode)}` : output);
  } catch (error) {
    if (isTimeout(error))
      return failure(`command timed out: ${JSON.stringify(command.join(' '))} timed out after ${String(seconds)}s`);
    return errored(error instanceof Error ? error.message : String(error));
  }
}

/** containerd 1.6 tells a command that took too long by its text only. */
function isTimeout(error: unknown): boolean {
  return error instanceof CriError && (error.code === 'DeadlineExceeded' || /timeout \S+ exceeded/.test(error.details));
}
