/** `prometheus [ADDRESS]`: the figures of the whole server at /metrics; blocks with it have their questions counted (feature 4-062). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderProcessMetrics } from '../../lib/process-metrics.ts';
import { Value } from '../../lib/prometheus.ts';
import { expectArgs, expectOnce, readOptions, refuse } from '../corefile/option.ts';
import { parseFaceAddress, type Face } from '../http-faces.ts';
import type { Plugin } from '../plugin.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export const prometheusPlugin: Plugin = {
  name: 'prometheus',
  setup(directives, { runtime }) {
    const directive = expectOnce(directives);
    const [address = 'localhost:9153'] = expectArgs(directive, 0, 1, 'one address at most, such as :9153');
    if (!parseFaceAddress(address)) refuse(directive, `expected an address such as :9153, found "${address}"`);
    readOptions(directive, {});
    let face: Face | undefined;
    return {
      transparent: true,
      start() {
        const { metrics } = runtime;
        const build = metrics.add(new Value('gauge', 'coredns_build_info', 'What this is.', []));
        build.set(1, { version: `fairway-${packageVersion()}`, revision: '', goversion: `node-${process.version}` });
        face = runtime.faces.claim(address, '/metrics', () => ({
          status: 200,
          body: metrics.render() + renderProcessMetrics(),
          contentType: CONTENT_TYPE,
        }));
        return Promise.resolve();
      },
      async stop() {
        await face?.release();
      },
    };
  },
};

/** Of Fairway. */
export function packageVersion(): string {
  const text = readFileSync(join(import.meta.dirname, '..', '..', '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
