export { buildStarters, StarterError, type BuildOptions, type BuildReport, type BuiltStarter } from './build.ts';
export { SANDBOX_IMAGE } from '../../kubelet/starters.ts';
export { CATALOGUE, type StarterDefinition } from './catalogue.ts';
export { loadImage } from './load.ts';
