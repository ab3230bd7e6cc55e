/** Runs one probe, or one lifecycle hook, of whatever kind the spec asks for. */
import type { Core, Pod } from '../../api/types.ts';
import type { Cri } from '../../host/cri/cri.ts';
import type { Clock } from '../../lib/clock.ts';
import type { RunHandler } from '../parts.ts';
import { probeExec } from './exec-probe.ts';
import { probeGrpc } from './grpc-probe.ts';
import { askHttp, probeHttp, type HttpTarget } from './http-probe.ts';
import { errored, type Outcome } from './outcome.ts';
import { resolvePort } from './target.ts';
import { probeTcp } from './tcp-probe.ts';

/** Tries of a probe that could not be run (7-010). */
const TRIES = 3;

export interface RunTarget {
  readonly pod: Pod;
  readonly container: Core.Container;
  readonly containerId: string;
  readonly podIP: string;
}

/** `timeoutMs` is for one try. Never throws. */
export type RunProbe = (
  probe: Core.Probe,
  target: RunTarget,
  timeoutMs: number,
  signal?: AbortSignal,
) => Promise<Outcome>;

export interface RunnerOptions {
  readonly cri: Pick<Cri, 'execSync'>;
  readonly clock: Clock;
  /** `1.36`: of the version this kubelet reports. */
  readonly version: string;
}

export function createRunProbe({ cri, version }: RunnerOptions): RunProbe {
  const userAgent = `kube-probe/${version}`;
  const once = async (probe: Core.Probe, target: RunTarget, timeoutMs: number, signal?: AbortSignal) => {
    const { container, containerId, podIP } = target;
    if (probe.exec) return probeExec(cri, containerId, probe.exec.command ?? [], timeoutMs);
    if (probe.httpGet) return probeHttp(httpTarget(probe.httpGet, target, userAgent), timeoutMs, signal);
    if (probe.tcpSocket) {
      const { host, port } = probe.tcpSocket;
      return probeTcp(host || podIP, resolvePort(port, container), timeoutMs);
    }
    if (probe.grpc) {
      const { port, service = '' } = probe.grpc;
      return probeGrpc({ host: podIP, port, service, userAgent }, timeoutMs);
    }
    return errored(`missing probe handler for container ${container.name}`);
  };
  return async (probe, target, timeoutMs, signal) => {
    let outcome = errored('not run');
    for (let tries = 0; tries < TRIES && outcome.result === 'error' && signal?.aborted !== true; tries++) {
      outcome = await once(probe, target, timeoutMs, signal).catch((error: unknown) =>
        errored(error instanceof Error ? error.message : String(error)),
      );
    }
    return outcome;
  };
}

export function createRunHandler({ cri, clock, version }: RunnerOptions): RunHandler {
  return async (handler, target, timeoutMs) => {
    try {
      if (handler.exec) {
        const outcome = await probeExec(cri, target.containerId, handler.exec.command ?? [], timeoutMs);
        return { ok: outcome.result === 'success', output: outcome.output };
      }
      if (handler.httpGet) {
        const { body } = await askHttp(httpTarget(handler.httpGet, target, `kube-lifecycle/${version}`), timeoutMs);
        return { ok: true, output: body };
      }
      if (handler.sleep) {
        const wanted = handler.sleep.seconds * 1000;
        await new Promise<void>((resolve) => void clock.after(Math.min(wanted, timeoutMs), resolve));
        return { ok: wanted <= timeoutMs, output: '' };
      }
      return { ok: false, output: `invalid handler: ${Object.keys(handler).join(', ') || 'none'}` };
    } catch (error) {
      return { ok: false, output: error instanceof Error ? error.message : String(error) };
    }
  };
}

function httpTarget(action: Core.HTTPGetAction, { container, podIP }: RunTarget, userAgent: string): HttpTarget {
  return {
    scheme: action.scheme?.toUpperCase() === 'HTTPS' ? 'https' : 'http',
    host: action.host || podIP,
    port: resolvePort(action.port, container),
    path: action.path ?? '/',
    headers: action.httpHeaders ?? [],
    userAgent,
  };
}
