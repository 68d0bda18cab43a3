import { describe, expect, it } from 'vitest';
import { hasLink, mixingFor, neighbours, restrictedTo, takenOver, toggled, withLinks } from './links';

describe('links', () => {
  it('a link is the same in both directions', () => {
    expect(hasLink([{ a: 'x', b: 'y' }], 'y', 'x')).toBe(true);
  });
  it('toggling twice changes nothing', () => {
    const links = [{ a: 'x', b: 'y' }];
    expect(toggled(toggled(links, 'y', 'z'), 'z', 'y')).toEqual(links);
  });
  it('a site cannot be linked to itself', () => {
    expect(toggled([], 'x', 'x')).toEqual([]);
  });
  it('neighbours are found whichever end they are on', () => {
    expect(neighbours([{ a: 'x', b: 'y' }, { a: 'z', b: 'x' }], 'x')).toEqual(['y', 'z']); // prettier-ignore
  });
  it('links and hub of a removed site go with it', () => {
    const spec = { kind: 'custom' as const, hub: 'z', links: [{ a: 'x', b: 'z' }, { a: 'x', b: 'y' }] }; // prettier-ignore
    expect(restrictedTo(spec, ['x', 'y'])).toEqual({
      kind: 'custom',
      hub: null,
      links: [{ a: 'x', b: 'y' }],
    });
  });
  it('own weights follow their sites into the order of a pilot', () => {
    const spec = { kind: 'full' as const, mixing: 'custom' as const, weights: [[0.9, 0.1], [0.4, 0.6]] }; // prettier-ignore
    expect(takenOver(spec, ['x', 'y'], ['y', 'x']).weights).toEqual([[0.6, 0.4], [0.1, 0.9]]); // prettier-ignore
  });
  it('own weights of other sites give way to the usual mixing', () => {
    const spec = { kind: 'full' as const, mixing: 'custom' as const, weights: [[0.9, 0.1], [0.4, 0.6]] }; // prettier-ignore
    expect(takenOver(spec, ['x', 'y'], ['x', 'z'])).toMatchObject({ mixing: 'metropolis', weights: null });
  });
  it('links of its own need no options of the kind that a graph was', () => {
    const spec = { kind: 'random_regular' as const, degree: 4, seed: 1, mixing: 'optimised' as const };
    expect(withLinks(spec, [{ a: 'x', b: 'y' }])).toEqual({
      kind: 'custom',
      hub: null,
      links: [{ a: 'x', b: 'y' }],
      weights: null,
      mixing: 'optimised',
    });
  });
  it('where both models count half there is nothing to optimise', () => {
    expect(mixingFor({ mixing: 'optimised' }, 'one_peer')).toBe('metropolis');
    expect(mixingFor({ mixing: 'optimised' }, 'torus')).toBe('optimised');
    expect(mixingFor({ mixing: 'custom', weights: [[1]] }, 'ring')).toBe('metropolis');
  });
});
