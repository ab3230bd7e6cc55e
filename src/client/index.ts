/** The face of the client: what components import. */
export type * from './client.ts';
export { startInformer, type InformerTiming } from './informer.ts';
