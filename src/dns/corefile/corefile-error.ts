/** Why a Corefile is refused, and where. */
import type { Place } from './directive.ts';

export class CorefileError extends Error {
  readonly place: Place;

  /** @param reason what is wrong and what would be right, without the place */
  constructor(place: Place, reason: string) {
    super(`${place.file}:${String(place.line)}: ${reason}`);
    this.name = 'CorefileError';
    this.place = place;
  }
}
