/** Cells that several kinds share. */
import { humanDuration } from '../../lib/text.ts';
import { formatLabels } from '../selectors.ts';
import type { Core, KubeObject } from '../types.ts';

/** Time since a moment; a zero moment has no age (feature 8-026). */
export function since(moment: string | undefined, now: number): string {
  return moment ? humanDuration(now - Date.parse(moment)) : '<unknown>';
}

export const age = (object: KubeObject, now: number): string => since(object.metadata.creationTimestamp, now);

export const orNone = (text: string | undefined): string => text || '<none>';

export const labelsCell = (labels: Record<string, string> | undefined): string => orNone(formatLabels(labels));

/** The first few, then how many more: `a,b,c + 2 more...`. */
export function clipList(items: readonly string[], most: number): string {
  const shown = items.slice(0, most).join(',');
  return items.length > most ? `${shown} + ${items.length - most} more...` : shown;
}

/** `-o wide` shows everything, but a server does not know how it is printed; so addresses are clipped for all (feature 8-028). */
export const clipText = (text: string, most = 16): string =>
  text.length > most ? `${text.slice(0, most - 3)}...` : text;

export const containerNames = (template: Core.PodTemplateSpec | undefined): string =>
  (template?.spec?.containers ?? []).map((container) => container.name).join(',');

export const containerImages = (template: Core.PodTemplateSpec | undefined): string =>
  (template?.spec?.containers ?? []).map((container) => container.image ?? '').join(',');
