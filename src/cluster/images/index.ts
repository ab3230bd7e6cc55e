export { buildStarters, StarterError, type BuildOptions, type BuildReport, type BuiltStarter } from './build.ts';
export { CATALOGUE, SANDBOX_IMAGE, type StarterDefinition } from './catalogue.ts';
export { loadImage } from './load.ts';
