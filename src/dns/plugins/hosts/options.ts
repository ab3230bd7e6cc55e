/** `hosts [FILE [ZONES...]] { … }` as it is written. Pure. */
import type { Directive } from '../../corefile/directive.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import { expectArgs, expectDuration, expectNumber, refuse } from '../../corefile/option.ts';
import { parseIp } from '../../../lib/ip.ts';
import { noFallthrough, parseFallthrough, zoneArgs, type Fallthrough } from '../../routing/zone-list.ts';

export interface HostsOptions {
  readonly file: string;
  readonly zones: readonly string[];
  /** Lines as in the file. */
  readonly inline: string;
  readonly ttl: number;
  readonly hasReverse: boolean;
  /** ms; 0: never. */
  readonly reloadMs: number;
  readonly fallthrough: Fallthrough;
  /** Also for types that a hosts file cannot hold, of names that are there. */
  readonly fallsThroughUnsupported: boolean;
}

type Draft = { -readonly [Key in keyof HostsOptions]: HostsOptions[Key] };

/** @throws CorefileError */
export function parseHostsOptions(directive: Directive, blockZones: readonly string[]): HostsOptions {
  const [file = '/etc/hosts', ...zones] = directive.args;
  const draft: Draft = {
    file,
    zones: zoneArgs(directive, zones, blockZones),
    inline: '',
    ttl: 3600,
    hasReverse: true,
    reloadMs: 5000,
    fallthrough: noFallthrough,
    fallsThroughUnsupported: false,
  };
  for (const option of directive.body ?? []) readOption(option, draft);
  if (draft.fallsThroughUnsupported && draft.fallthrough === noFallthrough) {
    refuse(directive, 'fallthrough_unsupported needs fallthrough');
  }
  return draft;
}

const OPTIONS = ['fallthrough', 'fallthrough_unsupported', 'no_reverse', 'reload', 'ttl'];

function readOption(option: Directive, draft: Draft): void {
  switch (option.name) {
    case 'fallthrough':
      draft.fallthrough = parseFallthrough(option);
      return;
    case 'fallthrough_unsupported':
      expectArgs(option, 0, 0, 'nothing');
      draft.fallsThroughUnsupported = true;
      return;
    case 'no_reverse':
      expectArgs(option, 0, 0, 'nothing');
      draft.hasReverse = false;
      return;
    case 'reload':
      draft.reloadMs = expectDuration(option, expectArgs(option, 1, 1, 'a time')[0]);
      if (draft.reloadMs < 0) refuse(option, 'the time must not be negative');
      return;
    case 'ttl':
      draft.ttl = expectNumber(option, expectArgs(option, 1, 1, 'seconds')[0], 1, 65_535);
      return;
    default:
      draft.inline += inlineLine(option);
  }
}

function inlineLine({ name, args, place }: Directive): string {
  if (parseIp(name.replace(/%.*$/, '')) && args.length > 0) return `${[name, ...args].join(' ')}\n`;
  const known = OPTIONS.join(', ');
  throw new CorefileError(place, `hosts: "${name}" is neither an address with names nor an option, there are ${known}`);
}
