/** `root PATH`: where relative files of other plugins of the block count from. */
import { resolve } from 'node:path';
import { expectArgs, expectNoBody, expectOnce } from '../corefile/option.ts';
import type { Block, Plugin } from '../plugin.ts';

const roots = new WeakMap<Block, string>();

export const rootPlugin: Plugin = {
  name: 'root',
  setup(directives, block) {
    const directive = expectOnce(directives);
    expectNoBody(directive);
    const [path = '.'] = expectArgs(directive, 1, 1, 'a folder');
    roots.set(block, resolve(path));
    return {};
  },
};

/** The working directory where the block has no `root`. It stands first in the order, so that the plugins after it find it set up. */
export const rootOf = (block: Block): string => roots.get(block) ?? process.cwd();
