/** TCP probes (feature 7-015): it connects, and that is all. */
import { connect } from 'node:net';
import { joinHostPort } from '../../lib/ip.ts';
import { dialError, failure, succeeded, type Outcome } from './outcome.ts';

/** Never throws. */
export function probeTcp(host: string, port: number, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (outcome: Outcome) => {
      resolve(outcome);
      socket.destroy();
    };
    socket.on('connect', () => {
      end(succeeded());
    });
    socket.on('timeout', () => {
      end(failure(`dial tcp ${joinHostPort(host, port)}: i/o timeout`));
    });
    socket.on('error', (error) => {
      end(failure(dialError(joinHostPort(host, port), error)));
    });
  });
}
