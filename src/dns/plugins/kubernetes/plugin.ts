/** The plugin `kubernetes`: watches a cluster as its directive says, and answers for the names of it. */
import { refuse } from '../../corefile/option.ts';
import type { Block, Plugin, PluginInstance, Query, Runtime } from '../../plugin.ts';
import { podAt } from './asker-zone.ts';
import { connectionSource } from './connection.ts';
import { answerFrom, type AskerZone } from './handler.ts';
import { describeAsker, describeName } from './metadata.ts';
import { parseName } from './names.ts';
import { parseKubernetes, type KubernetesOptions } from './options.ts';
import { rulesOf, type Rules } from './rules.ts';
import { offerSearchPath } from './search-path.ts';
import { watchCluster, type Selection, type WatchedCluster } from './watched-cluster.ts';

export const kubernetesPlugin: Plugin = {
  name: 'kubernetes',
  setup([directive, second], block) {
    if (!directive) throw new Error('set up without a directive');
    if (second) refuse(second, 'this plugin can only be used once per server block');
    const options = parseKubernetes(directive, block.zones);
    const source = connectionSource(options.connection, block.runtime, directive.place);
    const rules = rulesOf({ ...options.rules, ownAddresses: block.runtime.ownAddresses });
    const selection = selectionFor(options, rules, block.runtime);
    return instanceOf(() => watchCluster(block.runtime, source, selection), options, rules, block);
  },
};

function selectionFor(
  { labels, namespaceLabels, endpoints }: KubernetesOptions,
  rules: Rules,
  runtime: Runtime,
): Selection {
  const { nodeName } = runtime;
  const pods = rules.pods === 'verified';
  return {
    ...(labels !== undefined && { labels }),
    ...(namespaceLabels !== undefined && { namespaceLabels }),
    endpoints,
    podNames: rules.endpointPodNames,
    pods,
    imports: rules.zones.all.some(({ kind }) => kind === 'clusterset'),
    ...(rules.preferZone && pods && { nodes: 'all' }),
    ...(rules.preferZone && !pods && nodeName !== undefined && { nodes: { name: nodeName } }),
  };
}

function instanceOf(
  watch: () => WatchedCluster,
  options: KubernetesOptions,
  rules: Rules,
  block: Block,
): PluginInstance {
  const { runtime, lookUp } = block;
  const { fallthrough, startupTimeout, idle } = options;
  let cluster: WatchedCluster | undefined;
  const podOf = ({ asker }: Query) => cluster && podAt(cluster.podsWithAddress(asker.address));
  /** Where Pods are not known, a DNS server on every Node is asked by those of its own. */
  const zoneOfAsker = (query: Query): AskerZone => {
    const pod = podOf(query);
    const node = pod ? pod.spec.nodeName : runtime.nodeName;
    return { zone: node === undefined ? undefined : cluster?.zoneOfNode(node), isCommon: rules.pods !== 'verified' };
  };
  offerSearchPath(block, { zones: rules.zones, podOf });
  const ready = Promise.withResolvers<undefined>();
  return {
    clusterZones: rules.zones.all.filter(({ kind }) => kind !== 'reverse').map(({ name }) => name.replace(/\.$/, '')),
    whenReady: ready.promise,
    isReady: () => cluster?.hasSynced('clusterset') ?? false,
    async start() {
      if (idle.length > 0) {
        runtime.log.info(
          { options: idle },
          'kubernetes: options without effect: the API server is asked for a few watches only',
        );
      }
      cluster = watch();
      const synced = cluster.synced.then(() => {
        ready.resolve(undefined);
        return true;
      });
      const isIn = await within(runtime, startupTimeout, synced);
      if (!isIn) runtime.log.warn('starting server with unsynced Kubernetes API');
    },
    stop() {
      cluster?.stop();
      return Promise.resolve();
    },
    describe(query, metadata) {
      const parsed = parseName(query.question.name, rules.zones, rules.zonal);
      if (parsed.zone) for (const [name, value] of describeName(parsed)) metadata.set(name, () => value);
      for (const [name, value] of describeAsker(podOf(query))) metadata.set(name, () => value);
    },
    wrap: (next) =>
      answerFrom(
        () => cluster,
        { rules, zoneOfAsker, ...(fallthrough && { fallthrough }), ...(lookUp && { lookUp }) },
        next,
      ),
  };
}

/** Undefined when the time is over first. */
function within<T>({ clock }: Runtime, ms: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => {
      resolve(undefined);
    });
    void promise.then((value) => {
      cancel();
      resolve(value);
    });
  });
}
