/**
 * Connects to ADDRESS PORT every few milliseconds and prints a JSON line {at, ok} whenever the outcome changes.
 * Usage: node connect-loop.ts ADDRESS PORT [MILLISECONDS]. Ends on SIGTERM or after ten minutes.
 */
import { connect } from 'node:net';

const [address = '', port = '0', every = '4'] = process.argv.slice(2);
let last: boolean | undefined;
const say = (ok: boolean, at: number) => {
  if (ok === last) return;
  last = ok;
  process.stdout.write(`${JSON.stringify({ at, ok })}\n`);
};
const timer = setInterval(() => {
  const socket = connect({ host: address, port: Number(port) });
  socket.on('connect', () => {
    say(true, performance.timeOrigin + performance.now());
    socket.destroy();
  });
  socket.on('error', () => {
    say(false, performance.timeOrigin + performance.now());
  });
}, Number(every));
const stop = () => {
  clearInterval(timer);
  process.exit(0);
};
process.on('SIGTERM', stop);
setTimeout(stop, 600_000).unref();
