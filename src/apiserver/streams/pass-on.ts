/** Another server's answer as the body of ours: passed on as it comes, and no faster than it is read. */
import type { Readable, Transform } from 'node:stream';
import type { BodyStream } from '../request.ts';

/** Bytes the reader may be behind before the sender is asked to wait. */
const HIGH_WATER = 256 * 1024;

/** `through`: what changes it on the way. A reader is told of an answer that breaks off. */
export function passOn(incoming: Readable, through?: Transform): BodyStream {
  return {
    start(sink) {
      const source = through ? incoming.pipe(through) : incoming;
      source.on('data', (chunk: Buffer) => {
        sink.write(chunk);
        if (sink.pending() < HIGH_WATER) return;
        source.pause();
        sink.drained(() => source.resume());
      });
      source.on('end', () => {
        sink.end();
      });
      incoming.on('error', () => {
        if (sink.abort) sink.abort();
        else sink.end();
      });
      return () => incoming.destroy();
    },
  };
}
