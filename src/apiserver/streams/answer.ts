/** Streams that are ordinary HTTP answers. Those that need an upgraded connection come in through `upgrade.ts`. */
import { badRequest } from '../../api/api-error.ts';
import { PODS } from '../../api/kinds.ts';
import type { Pod } from '../../api/types.ts';
import { admitConnection } from '../admission/face.ts';
import { readObject } from '../read.ts';
import type { ApiResponse } from '../request.ts';
import type { Call } from '../resources.ts';
import { methodNotAllowed } from '../resources.ts';
import type { Server } from '../server.ts';
import { logResponse } from './logs.ts';
import { proxyResponse } from './proxy.ts';

export async function answerStream(server: Server, call: Call): Promise<ApiResponse> {
  const { info, core, request } = call;
  const { name = '', namespace, subresource } = info;
  if (subresource === 'proxy') {
    await admitConnection(core, { ...call, namespace, name, subresource }, request.query);
    return await proxyResponse(core, server.kubelets, call);
  }
  const pod = (await readObject(core, PODS, namespace, name)).object as Pod;
  if (subresource !== 'log') throw badRequest('Upgrade request required');
  if (info.verb !== 'get') throw methodNotAllowed();
  return await logResponse(server.kubelets, pod, request.query);
}
