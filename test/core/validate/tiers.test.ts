import {
  BUILT_IN_TIERS,
  isProductionTier,
  parseTierConfig,
  TierConfigError,
} from '../../../src/core/validate/tiers.js';

describe('built-in tiers', () => {
  test('RPC-101 only preferred is production', () => {
    const { defaultName, tiers } = BUILT_IN_TIERS;
    expect(defaultName).toBe('preemptible');
    expect([...tiers].filter(([, tier]) => isProductionTier(tier)).map(([name]) => name)).toEqual([
      'preferred',
    ]);
    expect(tiers.get('revocable')).toEqual({ preemptible: true, revocable: true });
    expect(tiers.get('Revocable')).toBeUndefined();
  });

  test('a tier that is revocable alone is not production', () => {
    expect(isProductionTier({ preemptible: false, revocable: true })).toBe(false);
  });
});

describe('a tier file', () => {
  test('is read; missing traits are false', () => {
    const text =
      '{"default": "b", "tiers": {"a": {"preemptible": true, "revocable": true}, "b": {}}}';
    const { defaultName, tiers } = parseTierConfig(text);
    expect(defaultName).toBe('b');
    expect([...tiers]).toEqual([
      ['a', { preemptible: true, revocable: true }],
      ['b', { preemptible: false, revocable: false }],
    ]);
  });

  test.each([
    ['', 'no JSON'],
    ['{"default": "a"', 'no JSON'],
    ['[]', 'the document must be an object'],
    ['null', 'the document must be an object'],
    ['{"tiers": {"a": {}}}', '"default" must name a tier'],
    ['{"default": "", "tiers": {"a": {}}}', '"default" must name a tier'],
    ['{"default": 1, "tiers": {"a": {}}}', '"default" must name a tier'],
    ['{"default": "a"}', '"tiers" must be an object'],
    ['{"default": "a", "tiers": {}}', 'there are no tiers'],
    ['{"default": "b", "tiers": {"a": {}}}', 'the default "b" is not among the tiers'],
    ['{"default": "A", "tiers": {"a": {}}}', 'the default "A" is not among the tiers'],
    ['{"default": "a", "tiers": {"a": {}}, "more": 1}', 'unknown key "more" in the document'],
    ['{"default": "a", "tiers": {"a": {"fast": true}}}', 'unknown key "fast" in tiers.a'],
    ['{"default": "a", "tiers": {"a": true}}', 'tiers.a must be an object'],
    ['{"default": "a", "tiers": {"a": {"revocable": "no"}}}', 'tiers.a.revocable must be true or'],
  ])('%s does not start', (text, problem) => {
    expect(() => parseTierConfig(text)).toThrow(TierConfigError);
    expect(() => parseTierConfig(text)).toThrow(problem);
  });
});
