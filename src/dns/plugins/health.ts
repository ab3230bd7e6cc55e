/**
 * `health [ADDRESS]`: 200 OK at /health as long as the process runs; with `lameduck` it goes on answering a while before it ends (feature 4-057). It
 * asks itself once a second and says how long that takes: much is the sign of a server that cannot keep up.
 */
import { httpRequest } from '../../lib/node-http.ts';
import { exponentialBounds, Histogram, Value } from '../../lib/prometheus.ts';
import type { Directive } from '../corefile/directive.ts';
import { expectArgs, expectDuration, expectOnce, readOptions, refuse } from '../corefile/option.ts';
import { parseFaceAddress, type Face, type FaceAnswer } from '../http-faces.ts';
import type { Plugin, Runtime } from '../plugin.ts';

export interface HealthOptions {
  readonly address: string;
  /** ms; 0: ends at once. */
  readonly lameduckMs: number;
}

/** ms between looks at oneself, and that one may take. */
const PERIOD_MS = 1000;
const TIMEOUT_MS = 1000;
const BOUNDS = exponentialBounds(0.00025, 10, 5);

export const healthPlugin: Plugin = {
  name: 'health',
  setup(directives, { runtime }) {
    const { address, lameduckMs } = parseHealth(expectOnce(directives));
    let face: Face | undefined;
    let stopLooking = (): void => undefined;
    return {
      start() {
        face = runtime.faces.claim(address, '/health', () => answerOf(runtime));
        stopLooking = lookAtOneself(face, runtime);
        return Promise.resolve();
      },
      async stop(why) {
        if (why === 'end' && lameduckMs > 0) {
          runtime.log.info({ plugin: 'health', ms: lameduckMs }, 'going on to answer before the end');
          await new Promise<void>((resolve) => runtime.clock.after(lameduckMs, resolve));
        }
        stopLooking();
        await face?.release();
      },
    };
  },
};

/** CoreDNS is always OK; what cannot be mended from within is no less than that (trap T14). */
function answerOf({ ailments }: Runtime): FaceAnswer {
  if (ailments.size === 0) return { status: 200, body: 'OK' };
  return { status: 503, body: [...ailments].map(([who, what]) => `${who}: ${what}\n`).join('') };
}

/** @throws CorefileError */
export function parseHealth(directive: Directive): HealthOptions {
  const [address = ':8080'] = expectArgs(directive, 0, 1, 'one address at most, such as :8080');
  if (!parseFaceAddress(address)) refuse(directive, `expected an address such as :8080, found "${address}"`);
  let lameduckMs = 0;
  readOptions(directive, {
    lameduck(option) {
      lameduckMs = expectDuration(option, expectArgs(option, 1, 1, 'a time')[0]);
    },
  });
  return { address, lameduckMs };
}

function lookAtOneself(face: Face, { metrics, clock }: Runtime): () => void {
  const durations = metrics.add(
    new Histogram('coredns_health_request_duration_seconds', 'How long /health takes, asked from within.', BOUNDS),
  );
  const failures = metrics.add(
    new Value(
      'counter',
      'coredns_health_request_failures_total',
      'How often /health did not answer, asked from within.',
    ),
  );
  let isStopped = false;
  let cancel = (): void => undefined;
  const look = (url: string) => {
    const began = performance.now();
    void answers(url).then((isWell) => {
      if (isStopped) return;
      durations.observe((performance.now() - began) / 1000);
      if (!isWell) failures.add(1);
      wait(url);
    });
  };
  const wait = (url: string) => {
    cancel = clock.after(
      PERIOD_MS,
      () => {
        look(url);
      },
      true,
    );
  };
  void face.reachable.then((origin) => {
    if (origin !== undefined && !isStopped) wait(`${origin}/health`);
  });
  return () => {
    isStopped = true;
    cancel();
  };
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { timeout: TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      response.on('close', () => {
        resolve(response.statusCode === 200);
      });
    });
    request.end();
    request.on('timeout', () => request.destroy());
    request.on('error', () => {
      resolve(false);
    });
    request.end();
  });
}
