/** `fairway server`: the API server, the controllers and the scheduler in one process. `up` runs it in the background. */
import type { Command } from 'commander';
import { parseInteger } from './common.ts';
import type { ServerOptions } from '../cluster/server.ts';

export function addServer(program: Command): void {
  program
    .command('server')
    .summary('run the API server, controllers and scheduler (what `up` starts)')
    .description(
      'Runs the API server, the controllers and the scheduler in the foreground. Flags are named after the Kubernetes component that has the same one.',
    )
    .requiredOption('--data-dir <folder>', 'where the database is')
    .option('--datastore <where>', '`sqlite`, or the members of an etcd: https://10.0.0.1:2379,https://…', 'sqlite')
    .option('--datastore-cafile <file>', 'the authority of the etcd members')
    .option('--datastore-certfile <file>', 'client certificate shown to them')
    .option('--datastore-keyfile <file>', 'its key')
    .option('--etcd-prefix <prefix>', 'stands before every key, so that clusters can share an etcd', '/fairway')
    .requiredOption('--advertise-address <ip>', 'the address the kubernetes Service leads to')
    .option('--bind-address <ip>', 'the address to listen on', '0.0.0.0')
    .option('--secure-port <port>', 'the port to listen on', parseInteger, 6443)
    .requiredOption('--client-ca-file <file>', 'the authority whose client certificates are trusted')
    .requiredOption('--tls-cert-file <file>', 'serving certificate')
    .requiredOption('--tls-private-key-file <file>', 'its key')
    .requiredOption('--kubelet-client-certificate <file>', 'shown to kubelets')
    .requiredOption('--kubelet-client-key <file>', 'its key')
    .requiredOption('--service-account-signing-key-file <file>', 'signs service account tokens')
    .option(
      '--service-account-key-file <file...>',
      'more keys whose service account tokens are good, such as the one before; may be repeated',
    )
    .option(
      '--service-cluster-ip-range <cidr>',
      'cluster IPs; two ranges, of one family each, with a comma between',
      '10.96.0.0/16',
    )
    .option('--service-node-port-range <range>', 'node ports', '30000-32767')
    .option('--enable-admission-plugins <names>', 'those that are off by default: DenyServiceExternalIPs')
    .option('--cluster-cidr <cidr>', 'Pod addresses', '10.244.0.0/16')
    .option('--cluster-domain <domain>', 'the suffix of names', 'cluster.local')
    .option('--audit-log-path <file>', 'write a line for every request there (- is the standard output)')
    .option('--audit-policy-file <file>', 'what of which request (default: the metadata of all)')
    .option('--audit-log-maxsize <megabytes>', 'set a full file aside (0: never)', parseInteger, 100)
    .option('--audit-log-maxbackup <count>', 'files set aside that are kept (0: all)', parseInteger, 10)
    .option('--audit-log-maxage <days>', 'how long they are kept (0: for ever)', parseInteger, 0)
    .option('--log-dir <folder>', 'keep its *.log short (where `up` lets all parts write)')
    .action(async (flags: ServerOptions) => {
      const { runServer } = await import('../cluster/server.ts');
      await runServer(flags);
    });
}
