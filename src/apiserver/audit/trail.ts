/** Follows one request from its coming to its end, and writes what the policy wants of it. */
import { gunzipSync } from 'node:zlib';
import { parseBody } from '../body.ts';
import type { Decision } from '../authorization/authorizer.ts';
import type { Attributes } from '../authorization/attributes.ts';
import { attributesOf } from '../authorization/attributes.ts';
import { isStream, type ApiResponse, type BodyStream, type User } from '../request.ts';
import { parsePath, type RequestInfo } from '../routes.ts';
import type { RawRequest } from '../serve.ts';
import type { ServedKinds } from '../served-kinds.ts';
import type { Clock } from '../../lib/clock.ts';
import { auditEvent, sourceIpsOf, withoutManagedFields, type AuditRecord, type Target } from './event.ts';
import type { LogFile } from './log-file.ts';
import { ruleOn, type Policy, type Ruling, type Stage } from './policy.ts';

/** Bytes of a body that goes into the log; a larger one is left out, and said to be. */
const MAX_OBJECT = 1024 * 1024;
const NOBODY: User = { name: '', groups: [] };

export class Audit {
  readonly #policy: Policy;
  readonly file: LogFile;
  readonly #clock: Clock;

  constructor(policy: Policy, file: LogFile, clock: Clock) {
    this.#policy = policy;
    this.file = file;
    this.#clock = clock;
  }

  /** Once it is known who asks; undefined: the policy wants nothing of it. Without a user: the credentials were bad. */
  begin(kinds: ServedKinds, id: string, raw: RawRequest, user?: User): Trail | undefined {
    const asked = askedBy(kinds, raw);
    const ruling = ruleOn(this.#policy, user ?? NOBODY, asked);
    if (!ruling) return undefined;
    const trail = new Trail(this.file, this.#clock, ruling, raw, {
      level: ruling.level,
      id,
      uri: uriOf(raw),
      asked,
      user: user ?? NOBODY,
      sourceIps: sourceIpsOf(raw.headers, raw.remoteAddress),
      userAgent: raw.headers['user-agent'],
      received: this.#clock.now(),
    });
    trail.reach('RequestReceived');
    return trail;
  }
}

/** A path that cannot be read is logged as it is. */
function askedBy(kinds: ServedKinds, { method, path, query }: RawRequest): Attributes {
  let info: RequestInfo = { type: 'path', path, verb: method.toLowerCase() };
  try {
    info = parsePath(method, path, query, kinds);
  } catch {
    // The answer will be 400.
  }
  return attributesOf(info, method, query);
}

function uriOf({ path, search }: RawRequest): string {
  return search === '' ? path : `${path}?${search}`;
}

export class Trail {
  readonly #file: LogFile;
  readonly #clock: Clock;
  readonly #ruling: Ruling;
  readonly #raw: RawRequest;
  #record: AuditRecord;

  constructor(file: LogFile, clock: Clock, ruling: Ruling, raw: RawRequest, record: AuditRecord) {
    this.#file = file;
    this.#clock = clock;
    this.#ruling = ruling;
    this.#raw = raw;
    this.#record = record;
  }

  actsAs(user: User): void {
    this.#record = { ...this.#record, impersonated: user };
  }

  decided({ allowed, reason }: Decision): void {
    const decision = allowed ? 'allow' : 'forbid';
    const annotations = { 'authorization.k8s.io/decision': decision, 'authorization.k8s.io/reason': reason };
    this.#record = { ...this.#record, annotations };
  }

  /** The answer, which the caller sends: a stream is followed to its end. Waits while the log has no room. */
  async answered(response: ApiResponse): Promise<ApiResponse> {
    this.#readRequest();
    this.#readResponse(response);
    await this.#file.room();
    if (!isStream(response.body)) {
      this.reach('ResponseComplete');
      return response;
    }
    this.reach('ResponseStarted');
    return { ...response, body: this.#followed(response.body) };
  }

  /** For a connection that another server answers on from here on. Returns what to call at its end. */
  passedOn(status: number): () => void {
    this.#record = { ...this.#record, responseStatus: { metadata: {}, code: status } };
    this.reach('ResponseStarted');
    return () => {
      this.reach('ResponseComplete');
    };
  }

  reach(stage: Stage): void {
    if (this.#ruling.omitStages.has(stage)) return;
    this.#file.write(`${JSON.stringify(auditEvent(this.#record, stage, this.#clock.now()))}\n`);
  }

  #followed(body: BodyStream): BodyStream {
    return {
      start: (sink) => {
        let over = false;
        const end = () => {
          if (!over) this.reach('ResponseComplete');
          over = true;
        };
        const stop = body.start({
          write: (chunk) => {
            sink.write(chunk);
          },
          pending: () => sink.pending(),
          drained: (callback) => {
            sink.drained(callback);
          },
          end: () => {
            end();
            sink.end();
          },
          abort: () => {
            end();
            if (sink.abort) sink.abort();
            else sink.end();
          },
        });
        return () => {
          end();
          stop();
        };
      },
    };
  }

  #readRequest(): void {
    const { asked } = this.#record;
    const { method, body } = this.#raw;
    if (asked.type !== 'resource' || body.length === 0 || !['POST', 'PUT', 'PATCH', 'DELETE'].includes(method)) return;
    const wantsBody = this.#ruling.level !== 'Metadata';
    if (!wantsBody && asked.verb !== 'create') return;
    const value = this.#valueOf(() => parseBody({ ...this.#raw, user: NOBODY }).value);
    const { metadata } = (value ?? {}) as { metadata?: Target };
    const target = asked.verb === 'create' && metadata ? pickTarget(metadata) : undefined;
    this.#record = { ...this.#record, target };
    if (wantsBody) this.#keep('requestObject', value, body.length);
  }

  #readResponse({ status, headers, body }: ApiResponse): void {
    const { asked, annotations } = this.#record;
    const wantsBody = this.#ruling.level === 'RequestResponse' && asked.type === 'resource';
    const isText = !isStream(body) && String(headers['content-type']).startsWith('application/json');
    const bytes = isStream(body) ? Buffer.alloc(0) : Buffer.from(body);
    const plain = headers['content-encoding'] === 'gzip' ? () => gunzipSync(bytes) : () => bytes;
    const value =
      isText && (wantsBody || status >= 400)
        ? this.#valueOf(() => JSON.parse(plain().toString()) as unknown)
        : undefined;
    this.#record = { ...this.#record, responseStatus: { ...failureOf(status, value), code: status } };
    if (status === 403 && !annotations) this.decided({ allowed: false, reason: '' });
    if (wantsBody) this.#keep('responseObject', value, bytes.length);
  }

  #valueOf(read: () => unknown): unknown {
    try {
      return read();
    } catch {
      return undefined; // the answer says what was wrong with it
    }
  }

  #keep(field: 'requestObject' | 'responseObject', value: unknown, size: number): void {
    if (value === undefined) return;
    if (size > MAX_OBJECT) {
      this.#record = {
        ...this.#record,
        annotations: { ...this.#record.annotations, 'audit.k8s.io/truncated': 'true' },
      };
      return;
    }
    this.#record = { ...this.#record, [field]: this.#ruling.omitManagedFields ? withoutManagedFields(value) : value };
  }
}

/** Of a Status what says why. */
function failureOf(status: number, value: unknown): object {
  if (status < 400 || typeof value !== 'object' || value === null) return { metadata: {} };
  const { status: outcome, message, reason, details } = value as Record<string, unknown>;
  return { metadata: {}, status: outcome, message, reason, details };
}

function pickTarget({ name, namespace, uid, resourceVersion }: Target): Target {
  return { name, namespace, uid, resourceVersion };
}
