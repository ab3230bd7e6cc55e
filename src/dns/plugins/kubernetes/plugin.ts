/** `kubernetes ZONES...`: the names of the cluster. */
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/directive.ts';
import { expectArgs, expectNumber, readOptions, refuse } from '../../corefile/option.ts';
import { zonesOf } from '../../corefile/server-key.ts';
import type { Block, Handler, Plugin, Query, Reply } from '../../plugin.ts';
import { RCODE, replyTo } from '../../wire/message.ts';
import { answer, type AnswerOptions } from './answer.ts';
import { watchCluster, type ClusterView } from './cluster-view.ts';
import { parseName } from './names.ts';

export const kubernetesPlugin: Plugin = {
  name: 'kubernetes',
  setup([directive, second], block) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'may stand once in a block');
    const options = parseKubernetes(directive, block);
    const { client, log, clock } = block.runtime;
    if (!client) throw new CorefileError(directive.place, 'kubernetes: there is no API server to ask');
    let cluster: ReturnType<typeof watchCluster> | undefined;
    const synced = Promise.withResolvers<undefined>();
    return {
      start() {
        cluster = watchCluster(client, log, () => clock.now());
        void cluster.synced.then(() => {
          synced.resolve(undefined);
        });
        return Promise.resolve();
      },
      stop() {
        cluster?.stop();
        return Promise.resolve();
      },
      isReady: () => cluster?.hasSynced ?? false,
      whenReady: synced.promise,
      wrap: (next) => (query) =>
        cluster ? answerFrom(cluster, options, block, next)(query) : { ...servfail(query), from: 'kubernetes' },
    };
  },
};

const servfail = (query: Query): Reply => ({
  message: replyTo(query.message, RCODE.SERVFAIL),
  from: 'kubernetes',
  transient: true,
});

function parseKubernetes(directive: Directive, block: Block): AnswerOptions {
  const zones =
    directive.args.length === 0 ? block.zones : directive.args.flatMap((arg) => zonesOf(arg, directive.place));
  const zone = zones.find((each) => !each.endsWith('.arpa.'));
  if (zone === undefined) refuse(directive, 'expected a zone that is not a reverse zone, such as cluster.local');
  let ttl = 5;
  readOptions(directive, {
    pods: (option) => void expectArgs(option, 1, 1, 'disabled, insecure or verified'),
    fallthrough: () => undefined,
    ttl: (option) => void (ttl = expectNumber(option, option.args[0], 0, 3600)),
  });
  return { zone: zone.replace(/\.$/, ''), ttl };
}

/** Names of the cluster from `view`; others, and addresses of nothing in it, from `next`. */
export function answerFrom(
  view: ClusterView & { readonly hasSynced: boolean },
  options: AnswerOptions,
  { lookUp }: Pick<Block, 'lookUp'>,
  next: Handler,
): Handler {
  return async (query) => {
    const { message, question } = query;
    if (parseName(question.name, options.zone).about === 'outside') return next(query);
    // Before everything is known a name may well exist: "no such name" would be believed, and cached (feature 4-023).
    if (!view.hasSynced) return servfail(query);
    const found = answer(view, question, options);
    if (found.ask === 'upstream') return next(query);
    const { rcode, authorities, additionals, follow } = found;
    const behind = follow === undefined ? undefined : await lookUp?.({ ...question, name: follow }, query);
    return {
      message: {
        ...replyTo(message, rcode),
        authoritative: true,
        // What an upstream cut off stays cut off: half an answer must not pass for a whole one.
        truncated: behind?.truncated ?? false,
        answers: [...found.answers, ...(behind?.answers ?? [])],
        authorities,
        additionals,
      },
      from: 'kubernetes',
      transient: follow !== undefined,
    };
  };
}
