/** Gives every Namespace its default ServiceAccount and the cluster's CA certificate, which Pods need to trust the API server. */
import { isAlreadyExists, isConflict } from '../api/api-error.ts';
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from '../api/kinds.ts';
import type { ConfigMap, ServiceAccount } from '../api/types.ts';
import { unlessTerminating } from './api-outcomes.ts';
import {
  defineController,
  done,
  itself,
  keyOf,
  splitKey,
  trigger,
  type Controller,
  type Outcome,
  type View,
} from './loop.ts';

const ACCOUNT = 'default';
const CA_MAP = 'kube-root-ca.crt';
const CA_KEY = 'ca.crt';
const DESCRIPTION =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

const isAlive = (view: View, namespace: string) => {
  const found = view.get(NAMESPACES, namespace);
  return found !== undefined && found.metadata.deletionTimestamp === undefined;
};

/** Made again when deleted, as long as its Namespace is alive. */
export const serviceAccountController: Controller = defineController({
  name: 'service-account-controller',
  triggers: [
    trigger(NAMESPACES, itself),
    trigger(SERVICE_ACCOUNTS, ({ type, object }) =>
      type === 'deleted' && object.metadata.name === ACCOUNT ? [object.metadata.namespace ?? ''] : [],
    ),
  ],
  async reconcile(namespace, view) {
    if (!isAlive(view, namespace) || view.get(SERVICE_ACCOUNTS, ACCOUNT, namespace)) return done;
    const account: ServiceAccount = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: ACCOUNT, namespace },
    };
    return created(view.client.create(SERVICE_ACCOUNTS, account));
  },
});

/** Keeps ConfigMap `kube-root-ca.crt` in every Namespace equal to `caPem`, whoever changes it. */
export function rootCaController(caPem: string): Controller {
  return defineController({
    name: 'root-ca-certificate-publisher-controller',
    triggers: [
      trigger(NAMESPACES, itself),
      trigger(CONFIG_MAPS, ({ object }) =>
        object.metadata.name === CA_MAP ? [splitKey(keyOf(object)).namespace] : [],
      ),
    ],
    async reconcile(namespace, view) {
      if (!isAlive(view, namespace)) return done;
      const current = view.get(CONFIG_MAPS, CA_MAP, namespace);
      if (!current) {
        const metadata = { name: CA_MAP, namespace, annotations: { 'kubernetes.io/description': DESCRIPTION } };
        const map: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [CA_KEY]: caPem } };
        return created(view.client.create(CONFIG_MAPS, map));
      }
      const keys = Object.keys(current.data ?? {});
      if (keys.length === 1 && current.data?.[CA_KEY] === caPem) return done;
      try {
        await view.client.update(CONFIG_MAPS, { ...current, data: { [CA_KEY]: caPem } });
      } catch (error) {
        // The informer is behind; the event that brings the newer object makes the key due again.
        if (!isConflict(error)) throw error;
      }
      return done;
    },
  });
}

async function created(work: Promise<unknown>): Promise<Outcome> {
  try {
    await unlessTerminating(work);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  return done;
}
