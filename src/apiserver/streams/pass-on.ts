/** Another server's answer as the body of ours: passed on as it comes, and no faster than it is read. */
import type { IncomingMessage } from 'node:http';
import type { BodyStream } from '../request.ts';

/** Bytes the reader may be behind before the sender is asked to wait. */
const HIGH_WATER = 256 * 1024;

export function passOn(incoming: IncomingMessage): BodyStream {
  return {
    start(sink) {
      incoming.on('data', (chunk: Buffer) => {
        sink.write(chunk);
        if (sink.pending() < HIGH_WATER) return;
        incoming.pause();
        sink.drained(() => incoming.resume());
      });
      incoming.on('end', () => {
        sink.end();
      });
      incoming.on('error', () => {
        sink.end();
      });
      return () => incoming.destroy();
    },
  };
}
