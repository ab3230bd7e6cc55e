/** Figures in the Prometheus text format (version 0.0.4). Label names and values are our own constants: nothing here escapes more than it must. */
export type Labels = Readonly<Record<string, string>>;

interface Described {
  readonly name: string;
  readonly help: string;
}

/** Something that prints its HELP, its TYPE and its samples. */
export interface Metric {
  render(): string;
}

/** A counter or gauge, one value for each set of labels. One without labels is there from the start, at 0. */
export class Value implements Metric {
  readonly #described: Described;
  readonly #type: 'counter' | 'gauge';
  readonly #values = new Map<string, number>();

  constructor(type: 'counter' | 'gauge', name: string, help: string, initial: readonly Labels[] = [{}]) {
    this.#type = type;
    this.#described = { name, help };
    for (const labels of initial) this.set(0, labels);
  }

  set(value: number, labels: Labels = {}): void {
    this.#values.set(textOf(labels), value);
  }

  add(amount: number, labels: Labels = {}): void {
    const key = textOf(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount);
  }

  get(labels: Labels = {}): number {
    return this.#values.get(textOf(labels)) ?? 0;
  }

  render(): string {
    const { name } = this.#described;
    const samples = [...this.#values].map(([labels, value]) => `${name}${braced(labels)} ${String(value)}\n`);
    return head(this.#described, this.#type) + samples.join('');
  }
}

interface Series {
  readonly counts: number[];
  sum: number;
  count: number;
}

export class Histogram implements Metric {
  readonly #described: Described;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series>();

  /** `bounds`: upper bounds of the buckets, ascending, without +Inf. */
  constructor(name: string, help: string, bounds: readonly number[], initial: readonly Labels[] = [{}]) {
    this.#described = { name, help };
    this.#bounds = bounds;
    for (const labels of initial) this.#of(labels);
  }

  observe(value: number, labels: Labels = {}): void {
    const series = this.#of(labels);
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at >= 0) series.counts[at] = (series.counts[at] ?? 0) + 1;
    series.sum += value;
    series.count++;
  }

  render(): string {
    const { name } = this.#described;
    const lines: string[] = [];
    for (const [labels, { counts, sum, count }] of this.#series) {
      const bucket = (bound: string, value: number) =>
        lines.push(`${name}_bucket${braced([labels, `le="${bound}"`].filter(Boolean).join(','))} ${String(value)}\n`);
      let below = 0;
      for (const [at, bound] of this.#bounds.entries()) bucket(String(bound), (below += counts[at] ?? 0));
      bucket('+Inf', count);
      lines.push(`${name}_sum${braced(labels)} ${String(sum)}\n`, `${name}_count${braced(labels)} ${String(count)}\n`);
    }
    return head(this.#described, 'histogram') + lines.join('');
  }

  #of(labels: Labels): Series {
    const key = textOf(labels);
    let series = this.#series.get(key);
    if (!series) this.#series.set(key, (series = { counts: this.#bounds.map(() => 0), sum: 0, count: 0 }));
    return series;
  }
}

/** `count` bounds: `start`, `start`·`factor`, … */
export function exponentialBounds(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => Number((start * factor ** at).toPrecision(12)));
}

/** `count` bounds: `start`, `start` + `width`, … */
export function linearBounds(start: number, width: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => start + width * at);
}

const head = ({ name, help }: Described, type: string): string => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`);

function textOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/[\\"\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`))}"`)
    .join(',');
}
