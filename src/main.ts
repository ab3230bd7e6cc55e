/** The command line's door: one file per command in `cli/`, loaded only when it is the one that runs. */
import { main } from './cli/main.ts';

process.exitCode = await main(process.argv.slice(2));
