/**
 * Node's http and https. An `import` from `node:http` reads all that the module exports, among it what is loaded when somebody asks for it: fetch and
 * WebSocket, 11 MB in every process. `require` reads what is used. Types may be imported as usual.
 */
import { createRequire } from 'node:module';
import type * as Http from 'node:http';
import type * as Https from 'node:https';

const load = createRequire(import.meta.url);
const http = load('node:http') as typeof Http;
const https = load('node:https') as typeof Https;

export const { Agent: HttpAgent, createServer: createHttpServer, request: httpRequest, STATUS_CODES } = http;
export const { Agent: HttpsAgent, createServer: createHttpsServer, request: httpsRequest } = https;
