/** Probes and lifecycle hooks (feature 7-002). */
import { forbidden, invalid, required, type FieldError } from '../field-error.ts';
import { portNumber } from '../names.ts';
import type { Core } from '../types.ts';
import { mustExist, notNegative, oneOf, portNumberOrName } from './check.ts';

const counts = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const;

export function validateProbe(
  role: 'livenessProbe' | 'readinessProbe' | 'startupProbe',
  probe: Core.Probe | undefined,
  containerPath: string,
): FieldError[] {
  if (!probe) return [];
  const path = `${containerPath}.${role}`;
  const errors = validateHandler(probe, path);
  for (const field of counts) errors.push(...notNegative(`${path}.${field}`, probe[field]));
  const grace = probe.terminationGracePeriodSeconds;
  if (role === 'readinessProbe') {
    if (grace !== undefined) {
      const why = 'must not be set for readinessProbes';
      errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, why));
    }
    return errors;
  }
  if (grace !== undefined && grace <= 0) {
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  }
  if (probe.successThreshold !== 1) {
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1'));
  }
  return errors;
}

export function validateLifecycle(lifecycle: Core.Lifecycle | undefined, path: string): FieldError[] {
  return (['postStart', 'preStop'] as const).flatMap((hook) => {
    const handler = lifecycle?.[hook];
    return handler ? validateHandler(handler, `${path}.${hook}`) : [];
  });
}

type Handler = Pick<Core.Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'> & Pick<Core.LifecycleHandler, 'sleep'>;

function validateHandler(handler: Handler, path: string): FieldError[] {
  const given = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter((each) => handler[each]);
  if (given.length === 0) return [required(path, 'must specify a handler type')];
  const errors = given.slice(1).map((each) => forbidden(`${path}.${each}`, 'may not specify more than 1 handler type'));
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec && (exec.command ?? []).length === 0) errors.push(required(`${path}.exec.command`));
  if (httpGet) {
    errors.push(...mustExist(`${path}.httpGet.path`, httpGet.path));
    errors.push(...portNumberOrName(`${path}.httpGet.port`, httpGet.port));
    errors.push(...oneOf(`${path}.httpGet.scheme`, httpGet.scheme, ['HTTP', 'HTTPS']));
  }
  if (tcpSocket) errors.push(...portNumberOrName(`${path}.tcpSocket.port`, tcpSocket.port));
  if (grpc) errors.push(...portNumber(grpc.port).map((problem) => invalid(`${path}.grpc.port`, grpc.port, problem)));
  if (sleep) errors.push(...notNegative(`${path}.sleep.seconds`, sleep.seconds));
  return errors;
}
