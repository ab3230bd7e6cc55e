/** The ReplicationController controller: a row for the core of ReplicaSets, whose selector is a plain map of labels. */
import { REPLICATION_CONTROLLERS } from '../api/kinds.ts';
import type { ReplicationController } from '../api/types.ts';
import type { Controller } from './loop.ts';
import { replicaController } from './replica-set.ts';

export const replicationControllerController = (): Controller =>
  replicaController<ReplicationController>({
    name: 'replication-controller',
    kind: REPLICATION_CONTROLLERS,
    selectorOf: ({ spec }) => {
      const matchLabels = spec.selector ?? spec.template?.metadata?.labels;
      return matchLabels && Object.keys(matchLabels).length > 0 ? { matchLabels } : undefined;
    },
  });
