/** The API server's face: how to run one, and the request and answer it is a function of. */
export { runApiServer, type ApiServer, type ApiServerOptions } from './run.ts';
export { assemble, type Assembled, type AssembleOptions } from './assemble.ts';
export { handle } from './handle.ts';
export {
  isStream,
  LOOPBACK,
  type ApiRequest,
  type ApiResponse,
  type BodyStream,
  type Sink,
  type User,
} from './request.ts';
export type { Authorizer } from './authorization/authorizer.ts';
