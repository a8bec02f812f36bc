/** A flag that nothing reads must say so (`notYet` in the table), and one that is read must not. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import ts from 'typescript';
import { FLAGS, type Flag } from '../../src/config/flags.js';
import { describeFlags, helpText } from '../../src/config/help.js';

const SRC = join(__dirname, '..', '..', 'src');
const TABLE: Readonly<Record<string, Flag<unknown>>> = FLAGS;

/**
 * Read by the parser itself, which does not count otherwise: it looks at every flag. The matcher has one
 * value, and the parser refuses any other.
 */
const READ_BY_PARSER = new Set(['config_file', 'shiro_credentials_matcher']);

/** Names of properties that a file reads, as `config.name` or by taking an object apart. */
function propertiesRead(path: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    // What only warns that a flag does nothing does not read it.
    if (ts.isFunctionDeclaration(node) && node.name?.text === 'withoutEffect') return;
    if (ts.isPropertyAccessExpression(node)) found.push(node.name.text);
    if (ts.isBindingElement(node)) {
      const name = node.propertyName ?? node.name;
      if (ts.isIdentifier(name)) found.push(name.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest));
  return found;
}

const read = new Set(
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith(`config${sep}`))
    .flatMap((file) => propertiesRead(join(SRC, file))),
);
const isRead = (name: string): boolean => read.has(name) || READ_BY_PARSER.has(name);
const marked = Object.keys(TABLE).filter((name) => TABLE[name]?.notYet);

test('exactly the flags that nothing reads are marked', () => {
  expect(marked).toEqual(Object.keys(TABLE).filter((name) => !isRead(name)));
  expect(marked).not.toEqual([]);
});

test.each(marked)('help and docs/flags.md say that --%s has no effect yet', (name) => {
  const row = describeFlags()
    .split('\n')
    .find((line) => line.startsWith(`| \`--${name}\``));
  expect(row).toContain('(no effect yet)');
  const help = helpText('all');
  const entry = help.slice(help.indexOf(`  --${name} `)).split(/\n(?= {2}--|\n)/)[0];
  expect(entry?.replace(/\s+/g, ' ')).toContain('(no effect yet)');
});

test('nothing else is called so', () => {
  expect(describeFlags().split('(no effect yet)')).toHaveLength(marked.length + 1);
});
