/** How a name is looked up, and how that is told: the pure face. */
export { candidatesOf, nextCandidate, searchWith, verdictOf, type Candidate, type Outcome } from './search-list.ts';
export { readSettings, renderResolvConf, type Libc, type ResolverSettings } from './resolver-settings.ts';
export { lookUp, outcomeOf, type Ask, type Heard, type Lookup } from './lookup.ts';
export { hintsOf, type Hint, type Surroundings } from './hints.ts';
export { stepsOf, type QueryReport } from './report.ts';
export { renderReport } from './render.ts';
