/** `autopath [ZONES...] FILE|@kubernetes`: the search list of the client, gone through by the server (feature 4-053). */
import { readSmallFile } from '../../../lib/small-file.ts';
import { Value } from '../../../lib/prometheus.ts';
import { expectNoBody, refuse } from '../../corefile/option.ts';
import type { Directive } from '../../corefile/directive.ts';
import { zonesOf } from '../../corefile/server-key.ts';
import { readSettings } from '../../explain/resolver-settings.ts';
import { expectMayRead } from '../../file-fence.ts';
import type { Block, Plugin, Query } from '../../plugin.ts';
import { labelsOf, nameOf } from '../../wire/domain-name.ts';
import { RCODE } from '../../wire/message.ts';
import { offersSearchPath, searchPathFor } from '../kubernetes/search-path.ts';
import { zonesOfNames } from '../kubernetes/zones.ts';
import { searchAlong } from './search.ts';

export const autopathPlugin: Plugin = {
  name: 'autopath',
  setup([directive, second], block) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'this plugin can only be used once per server block');
    expectNoBody(directive);
    const { zones, pathFor } = parse(directive, block);
    const successes = block.runtime.metrics.add(
      new Value(
        'counter',
        'coredns_autopath_success_total',
        'Questions answered under another name of the search path.',
        [],
      ),
    );
    return {
      check() {
        if (directive.args.at(-1) === '@kubernetes' && !offersSearchPath(block)) {
          refuse(directive, '@kubernetes needs the plugin kubernetes in the same block');
        }
      },
      wrap: (next) => async (query) => {
        const isHere = zones?.find(labelsOf(query.question.name.toLowerCase())) !== undefined;
        const path = isHere ? pathFor(query) : undefined;
        const found = path && (await searchAlong(path, query, next));
        if (found?.isFound) successes.add(1, { server: block.server });
        const reply = found ? found.reply : await next(query);
        // Another client may have a search path on which there is such a name.
        const isAnyones = !isHere || !reply || (reply.message.rcode !== RCODE.NXDOMAIN && !found?.isFound);
        return isAnyones ? reply : { ...reply, transient: true };
      },
    };
  },
};

interface Parsed {
  /** Undefined where none is named but reverse zones. */
  readonly zones: ReturnType<typeof zonesOfNames>;
  readonly pathFor: (query: Query) => readonly string[] | undefined;
}

/** @throws CorefileError */
function parse(directive: Directive, block: Block): Parsed {
  const source = directive.args.at(-1);
  if (source === undefined) refuse(directive, 'expected a file such as /etc/resolv.conf, or @kubernetes');
  const named = directive.args.slice(0, -1).flatMap((arg) => zonesOf(arg, directive.place));
  const zones = zonesOfNames(named.length > 0 ? named : block.zones);
  const { resolvConf } = block.runtime;
  if (!source.startsWith('@')) {
    const instead = 'take /etc/resolv.conf or @kubernetes';
    expectMayRead(block.runtime, { by: 'autopath', file: source, instead, place: directive.place });
    const file = source === '/etc/resolv.conf' ? resolvConf : source;
    const path = [...searchesOf(file, (reason) => refuse(directive, reason)), '.'];
    return { zones, pathFor: () => path };
  }
  if (source !== '@kubernetes') refuse(directive, `plugin ${source.slice(1)} knows no search path, kubernetes does`);
  // What the kubelet adds from its Node, which is this one.
  const ofNode = searchesOf(resolvConf, () => []);
  return {
    zones,
    pathFor: (query) => {
      const path = searchPathFor(block, query);
      return path && [...path, ...ofNode, '.'];
    },
  };
}

function searchesOf(file: string, otherwise: (reason: string) => readonly string[]): readonly string[] {
  try {
    return readSettings(readSmallFile(file).toString(), 'glibc').searches.map((search) => nameOf(labelsOf(search)));
  } catch (error) {
    return otherwise(error instanceof Error ? error.message : String(error));
  }
}
