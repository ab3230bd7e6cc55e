/** A UDP client for the tests of relays. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** The answer to one datagram; 'nothing' after a second without. */
export async function askUdp(port: number, message: string | Buffer, socket?: Socket): Promise<string> {
  const own = socket ?? createSocket('udp4');
  const patience = AbortSignal.timeout(1000);
  try {
    own.send(message, port, '127.0.0.1');
    const [answer] = (await once(own, 'message', { signal: patience })) as [Buffer];
    return answer.toString();
  } catch (error) {
    if (patience.aborted) return 'nothing';
    throw error;
  } finally {
    if (!socket) own.close();
  }
}
