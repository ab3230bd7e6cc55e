/** The whole API server as one function from a request to an answer. It never throws: what goes wrong is an answer too. */
import { ApiError, internalError } from '../api/api-error.ts';
import { Complaint } from '../lib/complaint.ts';
import { StoreError } from '../store/store-error.ts';
import { restrictTarget } from './admission/node-restriction.ts';
import { attributesOf } from './authorization/attributes.ts';
import type { Decision } from './authorization/authorizer.ts';
import { authorize } from './authorize.ts';
import { decodeChecked, fieldValidationOf, MAX_BODY, parseBody, tooLarge } from './body.ts';
import { discoveryResponse, rootPaths, servesSubresource } from './discovery.ts';
import { healthResponse } from './health.ts';
import { chooseMediaType } from './media-types.ts';
import { isStream, type ApiRequest, type ApiResponse, type BodyStream } from './request.ts';
import { answerResource, contextOf, methodNotAllowed } from './resources.ts';
import { compress, render, renderError, type Answer } from './respond.ts';
import { reviewByResource, type ReviewObject } from './reviews.ts';
import { fromPresent, toPresent } from './reviews/older.ts';
import { leadsNowhere, parsePath, type RequestInfo, type ResourceInfo } from './routes.ts';
import type { Server } from './server.ts';
import { answerSubresource, plainSubresources } from './subresources/answer.ts';
import { storeFailure } from './store-failure.ts';
import { refuseResize } from './subresources/resize.ts';
import { VERSION } from './version.ts';

/** `onDecision` hears who let it pass, or did not. */
export async function handle(
  server: Server,
  request: ApiRequest,
  onDecision?: (decision: Decision) => void,
): Promise<ApiResponse> {
  const { core, metrics } = server;
  const began = performance.now();
  const answered = metrics.begin(request.method);
  let info: RequestInfo = { type: 'path', path: request.path, verb: request.method.toLowerCase() };
  let response: ApiResponse;
  try {
    info = parsePath(request.method, request.path, request.query, core.kinds);
    if (request.body.length > MAX_BODY) throw tooLarge();
    await authorize(server, request.user, attributesOf(info, request.method, request.query), onDecision);
    response = await (info.type === 'path' ? answerPath(server, request) : answer(server, request, info));
  } catch (error) {
    const told = error instanceof ApiError ? error : storeFailure(error);
    if (told !== error) complain(server, request, error);
    response = renderError(told ?? internalError(messageOf(error)), request);
  }
  const streaming = isStream(response.body);
  answered();
  metrics.request(info, response.status, streaming ? undefined : (performance.now() - began) / 1000);
  return streaming ? { ...response, body: counted(server, info, response.body as BodyStream) } : response;
}

/** A datastore that is away fails every request: it is told of once a minute. What nobody foresaw is told each time, with its stack. */
function complain({ core }: Server, { path }: ApiRequest, error: unknown): void {
  if (!(error instanceof StoreError)) {
    core.log.error({ err: error, path }, 'request failed');
    return;
  }
  const complaint = complaints.get(core) ?? new Complaint(core.clock);
  complaints.set(core, complaint);
  complaint.raise(error.code, (repeats) => {
    core.log.error({ path, repeats }, error.message);
  });
}
const complaints = new WeakMap<Server['core'], Complaint>();

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function counted({ metrics }: Server, info: RequestInfo, body: BodyStream): BodyStream {
  return {
    start(sink) {
      metrics.longRunning(info, 1);
      const stop = body.start(sink);
      let stopped = false;
      return () => {
        if (!stopped) metrics.longRunning(info, -1);
        stopped = true;
        stop();
      };
    },
  };
}

async function answer(server: Server, request: ApiRequest, info: ResourceInfo): Promise<ApiResponse> {
  const context = contextOf(request, info);
  // What is passed on is in whatever form its own server gives it.
  const isStreamed = info.verb === 'connect' || info.subresource === 'log';
  const media = chooseMediaType(isStreamed ? undefined : request.headers['accept']);
  try {
    const found = await answerFor(server, request, info, context, media);
    if (found === undefined) return notFoundText();
    return await render(found, media, request, server.core.clock.now(), context.warnings);
  } catch (error) {
    if (error instanceof ApiError) return renderError(error, request, context.warnings);
    throw error;
  }
}

async function answerFor(
  server: Server,
  request: ApiRequest,
  info: ResourceInfo,
  context: ReturnType<typeof contextOf>,
  media: ReturnType<typeof chooseMediaType>,
): Promise<Answer | undefined> {
  const { kind, subresource } = info;
  await restrictTarget(server.core, request.user, info);
  if (!kind) return await answerReview(server, request, info, context.warnings);
  refuseResize(info);
  const misplaced = (info.namespace !== undefined && !kind.namespaced) || leadsNowhere(info);
  if (misplaced || (subresource !== undefined && !servesSubresource(kind, subresource))) return undefined;
  const call = { core: server.core, kind, info, request, media, context };
  if (subresource === undefined || subresource === 'status') return await answerResource(call);
  if (plainSubresources.includes(subresource)) return await answerSubresource(call, server.tokens);
  // Loaded on first use: most runs never ask for a stream.
  const { answerStream } = await import('./streams/answer.ts');
  return { type: 'response', response: await answerStream(server, call) };
}

async function answerReview(
  server: Server,
  request: ApiRequest,
  { group, version, resource, verb, name, namespace }: ResourceInfo,
  warnings: string[],
): Promise<Answer | undefined> {
  const review = reviewByResource(group, version, resource);
  if (!review || (review.namespaced ?? false) !== (namespace !== undefined)) return undefined;
  if (verb !== 'create' || name !== undefined) throw methodNotAllowed();
  if (review.older) warnings.push(review.older.deprecated);
  const body = toPresent(parseBody(request), review);
  const form = review.older?.present ?? review;
  const asked = decodeChecked(form, body, fieldValidationOf(request.query), warnings) as ReviewObject;
  const status = await review.answer({ asked, by: request.user, server, namespace });
  const value = { ...fromPresent(asked, review), metadata: { creationTimestamp: null }, status };
  return { type: 'value', status: 201, value };
}

async function answerPath(server: Server, request: ApiRequest): Promise<ApiResponse> {
  const { path } = request;
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
  if (path === '/') return json({ paths: rootPaths(server.core.kinds) });
  if (path === '/version' || path === '/version/') return json(VERSION);
  if (path === '/metrics') {
    const type = 'text/plain; version=0.0.4; charset=utf-8';
    return { status: 200, headers: { 'content-type': type }, body: server.metrics.text(server.gauges()) };
  }
  if (path.startsWith('/openapi/')) {
    const { openApiResponse } = await import('./openapi.ts');
    return (await openApiResponse(request, server.core.kinds)) ?? notFoundText();
  }
  if (path === '/.well-known/openid-configuration' || path === '/openid/v1/jwks') {
    const { issuerResponse } = await import('./issuer-discovery.ts');
    return await issuerResponse(request, server.tokens, `https://${server.address}`);
  }
  const { address, core, checks } = server;
  const discovered = discoveryResponse(request, address, core.kinds);
  if (discovered) return await compress(request, discovered);
  return (await healthResponse(request, checks)) ?? notFoundText();
}

function json(value: object): ApiResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value, null, 2) };
}

/** For paths that lead nowhere; kubectl expects this text (feature 8-007). */
function notFoundText(): ApiResponse {
  return {
    status: 404,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body: '404 page not found\n',
  };
}
