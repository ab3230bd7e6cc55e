/** The face of the client: what components import. */
export type * from './client.ts';
export { createEventRecorder, type EventRecorder } from './events.ts';
export { createHttpClient, type ConnectionConfig, type HttpClient } from './http-client.ts';
export { startInformer, type InformerTiming } from './informer.ts';
export { loadKubeconfig, renderKubeconfig } from './kubeconfig.ts';
