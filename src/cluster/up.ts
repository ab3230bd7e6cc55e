/**
 * Brings a local cluster to what is asked: creates what is missing, leaves alone what runs, restarts only what differs, removes nodes
 * too many. Returns when every node is Ready. What fails on a fresh start is taken down again.
 */
import { rmSync } from 'node:fs';
import { Links, namespacesStartingWith } from '../host/links.ts';
import { isAlive } from '../host/process.ts';
import { datastoreTrouble, etcdPrefixOf } from './datastore.ts';
import { configOf, incompatibilities, modesOf, validateConfig, type ClusterConfig } from './config.ts';
import { converge, type ConvergeOptions } from './converge.ts';
import { isOtherCluster, teardown } from './down.ts';
import { chooseIndex } from './lan-index.ts';
import { layoutOf, type Layout } from './layout.ts';
import { runsFromElsewhere } from './part-processes.ts';
import { checkDataDir, checkMachine, prepareDataDir, thisMachine } from './preflight.ts';
import { Session } from './session.ts';
import { lockHost, readState, withLock, type ClusterState } from './state.ts';
import { refuse } from './up-refused.ts';

/** `signal`: a fresh start is taken back, a running cluster runs on. */
export interface UpOptions extends ConvergeOptions {
  readonly name: string;
  readonly dataDir: string;
  /** Only what was asked for: the rest is as recorded, else the default. */
  readonly config: Partial<ClusterConfig>;
}

/** Throws UpRefused when the machine or the request will not do, and an Error that names the part and the cause when something failed. */
export async function up(options: UpOptions): Promise<Layout> {
  refuse(checkMachine(thisMachine));
  const { name, dataDir } = options;
  const known = layoutOf(name, dataDir, 0);
  refuse(checkDataDir(known), true);
  const { recorded: old, config: asked } = decide(options); // refused before anything is written
  refuse(checkMachine(thisMachine, modesOf(asked)));
  refuse(await datastoreTrouble({ ...asked, etcdPrefix: etcdPrefixOf(name) }));
  refuse(prepareDataDir(known, old === undefined));
  return withLock(known, async () => {
    const { recorded, config } = decide(options); // what another command did while we got the lock counts
    const fresh = !Object.values(recorded?.processes ?? {}).some(isAlive);
    // Until the LAN is there nobody else could see that its range is taken.
    const release = await lockHost();
    try {
      const index = recorded && !fresh ? recorded.index : await freeIndex(known, recorded?.index);
      const layout = layoutOf(name, dataDir, index);
      const session = new Session(layout, { version: 1, processes: {}, ...recorded, index, config });
      await converge(session, options, release).catch(async (error: unknown) => {
        if (fresh) await takeBack(session, recorded === undefined);
        if (!options.signal?.aborted) throw error;
        throw new Error(`interrupted; ${fresh ? 'what was started is taken back' : 'the cluster runs on'}`);
      });
      return layout;
    } finally {
      release();
    }
  });
}

/** What is asked for, on top of what is recorded. Throws UpRefused. */
function decide({ name, dataDir, config: asked }: UpOptions): { recorded?: ClusterState; config: ClusterConfig } {
  const layout = layoutOf(name, dataDir, 0);
  const recorded = readState(layout.stateFile);
  const config = configOf(recorded?.config, asked);
  refuse(validateConfig(config), true);
  refuse(recorded ? incompatibilities(recorded.config, config) : leftovers(layout));
  return recorded ? { recorded, config } : { config };
}

/** A start that failed leaves nothing behind; its logs stay unless the folder is new and the data with it. */
async function takeBack(session: Session, forgetState: boolean): Promise<void> {
  await teardown(session.layout, session.state);
  if (forgetState) rmSync(session.layout.stateFile, { force: true });
  else session.save({ processes: {} });
}

/** Namespaces of this name without a state: someone removed the data directory, or used another one. */
function leftovers(layout: Layout): string[] {
  const { name } = layout;
  const found = namespacesStartingWith(`fairway-${name}-`).filter((namespace) => !isOtherCluster(namespace, name));
  if (found.length === 0) return [];
  const elsewhere = runsFromElsewhere(layout);
  return [
    elsewhere === undefined
      ? `network namespace ${found.join(', ')} is left over from a cluster ${name} this data directory does not know; run: fairway down --name ${name} (or give the --data-dir it was started with)`
      : `a cluster ${name} runs from ${elsewhere} already; give --data-dir ${elsewhere}, or another --name`,
  ];
}

/** The number this cluster had, unless another one uses it by now; else a free one. */
async function freeIndex({ lan }: Layout, recorded: number | undefined): Promise<number> {
  const index = chooseIndex(lan.namespace, await new Links().list(), recorded);
  if (index === undefined) throw new Error('all of 172.30.0.0/16 is in use on this host: no room for another LAN');
  return index;
}
