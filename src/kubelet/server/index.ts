export type { Page } from './handlers.ts';
export { Refusal } from './find.ts';
export { createAccess, type Access } from './access.ts';
export { runKubeletServer, type KubeletServer, type KubeletServerOptions } from './serve.ts';
