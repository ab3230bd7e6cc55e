/** How often addresses and ports were asked for, by range and by who chose (feature 1-127). */
export type Scope = 'static' | 'dynamic';

export interface Count {
  /** `10.96.0.0/16`; '' where there is only one range. */
  readonly range: string;
  readonly scope: Scope;
  readonly value: number;
}

export class Counts {
  readonly #values = new Map<string, number>();

  add(range: string, scope: Scope): void {
    const key = `${scope} ${range}`;
    this.#values.set(key, (this.#values.get(key) ?? 0) + 1);
  }

  list(): Count[] {
    return [...this.#values].map(([key, value]) => {
      const scope: Scope = key.startsWith('static ') ? 'static' : 'dynamic';
      return { range: key.slice(scope.length + 1), scope, value };
    });
  }
}
