/** What the demo shows: headings, and one line that follows the update as it moves. */

export interface InstanceView {
  readonly instanceId: number;
  readonly status: string;
  readonly isNew: boolean;
}

export interface Screen {
  heading(text: string): void;
  line(text: string): void;
  /** The state now; on a terminal it replaces the one shown last. */
  progress(status: string, instances: readonly InstanceView[]): void;
}

const OLD = '○';
const NEW = '●';
const BETWEEN = '·';
export const LEGEND = `${OLD} old version running   ${NEW} new version running   ${BETWEEN} in between`;

export function terminalScreen(out: NodeJS.WriteStream): Screen {
  const live = out.isTTY === true;
  const strong = (text: string): string => (live ? `\x1b[1m${text}\x1b[0m` : text);
  let open = false;
  let last = '';
  const close = (): void => {
    if (open) out.write('\n');
    open = false;
    last = '';
  };
  return {
    heading(text) {
      close();
      out.write(`\n${strong(text)}\n`);
    },
    line(text) {
      close();
      out.write(`  ${text}\n`);
    },
    progress(status, instances) {
      const cells = instances.map(({ status: task, isNew }) => {
        if (task !== 'RUNNING') return BETWEEN;
        return isNew ? NEW : OLD;
      });
      const isNew = cells.filter((cell) => cell === NEW).length;
      const text = `  ${cells.join(' ')}  ${isNew} of ${cells.length} new  ${status}`;
      if (text === last) return;
      if (live) out.write(`\r\x1b[K${text}`);
      else out.write(`${text}\n`);
      open = live;
      last = text;
    },
  };
}

/** Rows of a query as a table. */
export function table(rows: readonly Readonly<Record<string, unknown>>[]): string[] {
  const columns = Object.keys(rows[0] ?? {});
  const cell = (value: unknown): string => (value === null ? '' : String(value));
  const widths = columns.map((column) =>
    Math.max(column.length, ...rows.map((row) => cell(row[column]).length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, index) => text.padEnd(widths[index] ?? 0))
      .join(' | ')
      .trimEnd();
  return [
    line(columns),
    widths.map((width) => '-'.repeat(width)).join('-+-'),
    ...rows.map((row) => line(columns.map((column) => cell(row[column])))),
  ];
}
