/** What each relay does, as comment lines above the rules: a dry run shows all of the way, and the tracer reads it back. */
import type { RelaySpec } from './relay-spec.ts';

/** A relay as its line says it. */
export interface RelayLine {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly hasAffinity: boolean;
  /** `ip:port`, any number. */
  readonly endpoints: readonly string[];
  readonly line: string;
}

export function renderRelay({ service, pool, endpoints }: RelaySpec, port: number): string {
  const affinity =
    service.affinitySeconds === undefined ? '' : `, a client stays for ${String(service.affinitySeconds)} s`;
  const to = endpoints.map((one) => ` ${one.address}`).join('');
  return `# relay ${service.name} ${service.protocol} ${String(port)} (${pool}${affinity}) ->${to}\n`;
}

/** The lines of relays in a text; all others are skipped. */
export function parseRelays(text: string): readonly RelayLine[] {
  return text.split('\n').flatMap((line) => {
    const match = /^# relay (\S+) (\S+) (\d+) \((?:Cluster|Local)(, .*)?\) ->(.*)$/.exec(line);
    if (!match) return [];
    const [, name = '', protocol = '', port = '', affinity, endpoints = ''] = match;
    return [
      {
        name,
        protocol,
        port: Number(port),
        hasAffinity: affinity !== undefined,
        endpoints: endpoints.split(' ').filter((one) => one !== ''),
        line: line.slice(2),
      },
    ];
  });
}
