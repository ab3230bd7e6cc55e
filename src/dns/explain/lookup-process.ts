/**
 * A look-up in a process of its own, which is started in the network namespace that it is to be made from: a JobRequest comes on standard
 * input, a Lookup goes to standard output. It reads no other file and starts nothing.
 */
import { createSocket } from 'node:dgram';
import { RCODE, replyTo, TYPE } from '../wire/message.ts';
import { decodeMessage, encodeMessage } from '../wire/message-codec.ts';
import { askServer } from './ask.ts';
import { lookUp, type LookupRequest } from './lookup.ts';

export interface JobRequest extends LookupRequest {
  /** 53 where absent. */
  readonly port?: number;
}

async function main(): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  const request = JSON.parse(Buffer.concat(pieces).toString()) as JobRequest;
  await warmUp();
  const { timeout, options } = request.settings.glibc;
  const how = {
    timeout: timeout * 1000,
    tcp: options.includes('use-vc'),
    ...(request.port !== undefined && { port: request.port }),
  };
  const lookup = await lookUp(request, (name, types, server) => askServer(name, types, server, how));
  process.stdout.write(JSON.stringify(lookup));
}

/** A program's first question takes it milliseconds that are not the network's: so the first ones go to a server of its own, on loopback. */
async function warmUp(): Promise<void> {
  const server = createSocket('udp4');
  server.on('message', (bytes, { port, address }) => {
    server.send(encodeMessage(replyTo(decodeMessage(bytes), RCODE.NXDOMAIN), 512), port, address);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).bind(0, '127.0.0.1', resolve);
    });
    const how = { timeout: 200, port: server.address().port };
    for (let at = 0; at < 5; at++) await askServer('warm.up.', [TYPE.A, TYPE.AAAA], '127.0.0.1', how);
  } catch {
    // No loopback there: the first times are a little too long.
  } finally {
    server.close();
  }
}

await main();
