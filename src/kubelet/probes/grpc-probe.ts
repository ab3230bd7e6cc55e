/**
 * gRPC probes (feature 7-017): grpc.health.v1.Health/Check without TLS. The two messages have one field each, so they are written and read
 * here: `service` (1, text) and `status` (1, number).
 */
import { Client, credentials, Metadata, status as codes, type ServiceError } from '@grpc/grpc-js';
import { joinHostPort } from '../../lib/ip.ts';
import { failure, succeeded, type Outcome } from './outcome.ts';

const METHOD = '/grpc.health.v1.Health/Check';
const statuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** Never throws. */
export function probeGrpc(
  target: { host: string; port: number; service: string; userAgent: string },
  timeoutMs: number,
): Promise<Outcome> {
  const address = joinHostPort(target.host, target.port);
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.primary_user_agent': target.userAgent,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
  });
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      METHOD,
      encodeCheck,
      decodeStatus,
      target.service,
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error: ServiceError | null, answer?: number) => {
        client.close();
        if (error) resolve(failure(explain(error, address, timeoutMs)));
        else if (answer === 1) resolve(succeeded('service healthy'));
        else resolve(failure(`service unhealthy (responded with "${statuses[answer ?? 0] ?? String(answer)}")`));
      },
    );
  });
}

function explain(error: ServiceError, address: string, timeoutMs: number): string {
  const seconds = `${String(timeoutMs / 1000)}s`;
  if (error.code === codes.UNIMPLEMENTED) {
    return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${error.details}`;
  }
  if (error.code === codes.DEADLINE_EXCEEDED) return `timeout: health rpc did not complete within ${seconds}`;
  if (error.code === codes.UNAVAILABLE) return `failed to connect service "${address}": ${error.details}`;
  return `error: health rpc probe failed: ${error.message}`;
}

export function encodeCheck(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return name;
  const length: number[] = [];
  for (let rest = name.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** Field 1 as a number; 0 (UNKNOWN) where it is absent. Fields that are not known are skipped as far as they come before it. */
export function decodeStatus(message: Buffer): number {
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
