/** /healthz, /livez and /readyz (feature 8-098). */
import type { ApiRequest, ApiResponse } from './request.ts';

export interface Check {
  readonly name: string;
  /** Only /readyz asks it: not being ready is no reason to be restarted. */
  readonly readyOnly?: boolean;
  passes(): boolean | Promise<boolean>;
}

const roots = ['healthz', 'livez', 'readyz'] as const;

/** Undefined: not a health path. */
export async function healthResponse(request: ApiRequest, checks: readonly Check[]): Promise<ApiResponse | undefined> {
  const [, rootName, ...below] = request.path.split('/');
  const root = roots.find((each) => each === rootName);
  if (!root) return undefined;
  const asked = checks.filter((check) => root === 'readyz' || check.readyOnly !== true);
  const only = below.join('/');
  const chosen = only === '' ? asked : asked.filter(({ name }) => name === only);
  if (chosen.length === 0) return plain(404, `404 page not found\n`);
  // One check by its own path answers for itself alone.
  if (only !== '') {
    const passed = (await Promise.all(chosen.map(passes))).every(Boolean);
    return passed ? plain(200, 'ok') : plain(500, `internal server error: ${only} failed: reason withheld\n`);
  }
  const excluded = request.query.getAll('exclude');
  const unknown = excluded.filter((name) => !chosen.some((check) => check.name === name));
  const lines: string[] = [];
  let failed = false;
  for (const check of chosen) {
    if (excluded.includes(check.name)) lines.push(`[+]${check.name} excluded: ok`);
    else if (await passes(check)) lines.push(`[+]${check.name} ok`);
    else {
      failed = true;
      lines.push(`[-]${check.name} failed: reason withheld`);
    }
  }
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(', ');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  if (failed) return plain(500, `${lines.join('\n')}\n${root} check failed\n`);
  return plain(200, request.query.has('verbose') ? `${lines.join('\n')}\n${root} check passed\n` : 'ok');
}

/** One that cannot even be made has failed. */
async function passes(check: Check): Promise<boolean> {
  try {
    return await check.passes();
  } catch {
    return false;
  }
}

function plain(status: number, body: string): ApiResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body,
  };
}
