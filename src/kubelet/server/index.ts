export { runKubeletServer, type KubeletServer, type KubeletServerOptions } from './serve.ts';
