/** `metadata [ZONES...]`: what plugins know about a query is made known to `log`, `rewrite` and `template` (feature 4-045). */
import { expectNoBody } from '../corefile/option.ts';
import type { Plugin } from '../plugin.ts';
import { zoneArgs } from '../routing/zone-list.ts';

export const metadataPlugin: Plugin = {
  name: 'metadata',
  setup: (directives, block) => ({
    collectsFor: directives.flatMap((directive) => {
      expectNoBody(directive);
      return zoneArgs(directive, directive.args, block.zones);
    }),
  }),
};
