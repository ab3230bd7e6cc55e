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

export interface NamedMetric extends Metric {
  readonly name: string;
}

/** One sample, for counting without looking it up. */
export interface Cell {
  value: number;
}

/** A counter or gauge, one value for each set of labels. One without labels is there from the start, at 0. */
export class Value implements NamedMetric {
  readonly #described: Described;
  readonly #type: 'counter' | 'gauge';
  readonly #cells = new Map<string, Cell>();

  constructor(type: 'counter' | 'gauge', name: string, help: string, initial: readonly Labels[] = [{}]) {
    this.#type = type;
    this.#described = { name, help };
    for (const labels of initial) this.set(0, labels);
  }

  get name(): string {
    return this.#described.name;
  }

  set(value: number, labels: Labels = {}): void {
    this.cell(labels).value = value;
  }

  add(amount: number, labels: Labels = {}): void {
    this.cell(labels).value += amount;
  }

  get(labels: Labels = {}): number {
    return this.#cells.get(textOf(labels))?.value ?? 0;
  }

  /** The sample itself; 0 where it is new. */
  cell(labels: Labels): Cell {
    const key = textOf(labels);
    let cell = this.#cells.get(key);
    if (!cell) this.#cells.set(key, (cell = { value: 0 }));
    return cell;
  }

  /** No sample is printed any more. Cells that somebody holds count for nothing. */
  clear(): void {
    this.#cells.clear();
  }

  render(): string {
    const { name } = this.#described;
    const samples = [...this.#cells].map(([labels, { value }]) => `${name}${braced(labels)} ${String(value)}\n`);
    return head(this.#described, this.#type) + samples.join('');
  }
}

/** The buckets of one set of labels, for observing without looking them up. */
export class Series {
  readonly #bounds: readonly number[];
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] ?? 0)) at++;
    if (at < this.counts.length) this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += value;
    this.count++;
  }
}

export class Histogram implements NamedMetric {
  readonly #described: Described;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series>();

  /** `bounds`: upper bounds of the buckets, ascending, without +Inf. */
  constructor(name: string, help: string, bounds: readonly number[], initial: readonly Labels[] = [{}]) {
    this.#described = { name, help };
    this.#bounds = bounds;
    for (const labels of initial) this.series(labels);
  }

  get name(): string {
    return this.#described.name;
  }

  observe(value: number, labels: Labels = {}): void {
    this.series(labels).observe(value);
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

  series(labels: Labels): Series {
    const key = textOf(labels);
    let series = this.#series.get(key);
    if (!series) this.#series.set(key, (series = new Series(this.#bounds)));
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
