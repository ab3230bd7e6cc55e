/** A loop over real sockets of the loopback link, and the way out of it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLog } from '../../../lib/log.ts';
import { runDns } from '../../run.ts';
import { queryFor, RCODE, replyTo, TYPE } from '../../wire/message.ts';
import { rcodeName } from '../../wire/record-text.ts';
import { fakeUpstream, recordOf } from '../forward/fake-upstream.ts';

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const fakes = await Promise.all(Array.from({ length: count }, () => fakeUpstream(() => undefined)));
  for (const fake of fakes) await fake.close();
  return fakes.map(({ port }) => port);
}

test('servers that forward to each other find out, keep answering what they know, and recover with another Corefile', async () => {
  const [a, b] = await freePorts(2);
  const upstream = await fakeUpstream(({ query }) => ({
    ...replyTo(query, RCODE.NOERROR),
    answers: [recordOf(`${query.questions[0]?.name ?? ''} 60 A 192.0.2.9`)],
  }));
  const corefile = (to: string) => `.:${String(a)} {
  hosts {
    192.0.2.1 known.example
    fallthrough
  }
  loop
  forward . 127.0.0.1:${String(b)}
}
.:${String(b)} {
  forward . ${to}
}`;
  const found = Promise.withResolvers<string>();
  const dns = runDns({
    corefile: { file: 'Corefile', text: corefile(`127.0.0.1:${String(a)}`) },
    listen: { addresses: ['127.0.0.1'] },
    log: silentLog,
    onLoop: (message) => {
      if (message !== undefined) found.resolve(message);
    },
  });
  const ask = async (name: string) => {
    const message = queryFor(1, { name, type: TYPE.A, class: 1 });
    const reply = await dns.ask(message, { address: '127.0.0.1', port: 1, transport: 'udp' });
    return `${reply?.from ?? ''} ${rcodeName(reply?.message.rcode ?? -1)}`;
  };
  try {
    await dns.listening;
    assert.match(await found.promise, new RegExp(`came back to dns://:${String(a)}`));
    assert.equal(await ask('known.example.'), 'hosts NOERROR');
    assert.equal(await ask('www.example.'), 'loop SERVFAIL');
    await dns.load(corefile(upstream.to));
    assert.equal(await ask('www.example.'), 'forward NOERROR');
  } finally {
    await dns.stop();
    await upstream.close();
  }
});
