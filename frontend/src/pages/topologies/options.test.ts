import { describe, expect, it } from 'vitest';
import { optionMeant, optionOf, optionsOf, placeMeant, startOf } from './options';

const finding = (field: string | null, code: string, params = {}) => ({
  field,
  code,
  params,
  sentence: code,
});

describe('options of a graph', () => {
  it('only random graphs have some', () => {
    expect(optionsOf('random_regular')).toEqual(['degree', 'seed']);
    expect(optionsOf('small_world')).toEqual(['degree', 'probability', 'seed']);
    for (const kind of ['ring', 'full', 'torus', 'custom', undefined] as const)
      expect(optionsOf(kind)).toEqual([]);
  });
  it('a kind begins with those it needs and with no others', () => {
    expect(startOf('ring', 9)).toEqual({});
    expect(startOf('random_regular', 9)).toEqual({ degree: 4, seed: 0 });
    expect(startOf('small_world', 9)).toEqual({ degree: 4, probability: 0.1, seed: 0 });
  });
  it('a regular graph of few sites begins with a degree that they can have', () => {
    expect([3, 4, 5, 6].map((sites) => startOf('random_regular', sites).degree)).toEqual([2, 2, 2, 4]);
  });
});

describe('a problem of a topology', () => {
  it('is said at the option that it is about', () => {
    for (const code of ['topology_degree_too_high', 'regular_degree_odd', 'small_world_degree'])
      expect(placeMeant(finding('spec.topology', code), 'spec.topology', 'spec.topology')).toBe(
        'spec.topology.degree',
      );
    expect(optionMeant(finding('spec', 'topology_option_missing', { option: 'probability' }))).toBe(
      'probability',
    );
    expect(optionOf(finding('spec.seed', 'greater_than_equal'))).toBe('seed');
  });
  it('stays where it is when it is about none', () => {
    expect(placeMeant(finding('spec', 'topology_disconnected'), 'spec', 'spec')).toBe('spec');
    expect(optionOf(finding('spec', 'unknown_site'))).toBeNull();
    expect(optionOf(finding('site_names', 'missing'))).toBeNull();
  });
  it('that belongs to another place is left there', () => {
    expect(placeMeant(finding('spec.arms.0', 'regular_degree_odd'), 'spec.arms.0', 'spec.topology')).toBe(
      'spec.arms.0',
    );
  });
});
