/**
 * A counter and a histogram for the hot path. prom-client hashes an object of labels on every observation,
 * which costs several times what answering a pulse does; these keep one row of numbers for each
 * combination of label values and only make Prometheus' form of it when somebody scrapes.
 */
import type { Registry } from 'prom-client';

/** Upper bounds, seconds: pulses take well under a millisecond, large replies seconds. */
export const BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

interface Row {
  readonly labels: Readonly<Record<string, string>>;
  /** For each bucket the observations that fall into it and no smaller one; the last is +Inf. */
  readonly counts: Float64Array;
  sum: number;
  total: number;
}

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

abstract class HotMetric {
  /** Rows by the values of the labels; a row of one label is found without making a text. */
  private readonly rows = new Map<string, Map<string, Row>>();
  protected abstract readonly name: string;

  constructor(private readonly labelNames: readonly [string, string?]) {}

  protected row(first: string, second = ''): Row {
    let bySecond = this.rows.get(first);
    if (bySecond === undefined) this.rows.set(first, (bySecond = new Map<string, Row>()));
    let row = bySecond.get(second);
    if (row === undefined) {
      const [a, b] = this.labelNames;
      const labels = b === undefined ? { [a]: first } : { [a]: first, [b]: second };
      row = { labels, counts: new Float64Array(BUCKETS.length + 1), sum: 0, total: 0 };
      bySecond.set(second, row);
    }
    return row;
  }

  protected *allRows(): Generator<Row> {
    for (const bySecond of this.rows.values()) yield* bySecond.values();
  }

  /** Makes it part of a registry, which asks for `get` at each scrape. */
  protected register(
    registry: Registry,
    about: { readonly help: string; readonly type: 'counter' | 'histogram' },
    samples: () => Sample[],
  ): void {
    const { name } = this;
    const describe = (): object => ({
      ...{ name, ...about, aggregator: 'sum', values: samples() },
    });
    const metric = {
      ...{ name, ...about, labelNames: this.labelNames.filter((label) => label !== undefined) },
      get: () => Promise.resolve(describe()),
      reset: () => undefined,
    };
    registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0]);
  }
}

export class HotCounter extends HotMetric {
  constructor(
    registry: Registry,
    protected override readonly name: string,
    help: string,
    labelNames: readonly [string, string?],
  ) {
    super(labelNames);
    this.register(registry, { help, type: 'counter' }, () =>
      [...this.allRows()].map(({ labels, total }) => ({ labels, value: total })),
    );
  }

  inc(first: string, second?: string): void {
    this.row(first, second).total += 1;
  }
}

export class HotHistogram extends HotMetric {
  constructor(
    registry: Registry,
    protected override readonly name: string,
    help: string,
    labelNames: readonly [string, string?],
  ) {
    super(labelNames);
    this.register(registry, { help, type: 'histogram' }, () =>
      [...this.allRows()].flatMap((row) => this.samplesOf(row)),
    );
  }

  /** @param seconds how long it took */
  observe(seconds: number, first: string, second?: string): void {
    const row = this.row(first, second);
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++;
    row.counts[bucket] = (row.counts[bucket] as number) + 1;
    row.sum += seconds;
    row.total += 1;
  }

  private samplesOf({ labels, counts, sum, total }: Row): Sample[] {
    let reached = 0;
    const buckets = [...BUCKETS, '+Inf'].map((le, index) => {
      reached += counts[index] ?? 0;
      return { labels: { le, ...labels }, value: reached, metricName: `${this.name}_bucket` };
    });
    return [
      ...buckets,
      { labels, value: sum, metricName: `${this.name}_sum` },
      { labels, value: total, metricName: `${this.name}_count` },
    ];
  }
}
