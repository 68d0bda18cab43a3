/* The topology being edited: its steps back, and what the server says about it while it is not saved. */
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { http, type Schemas } from '../../api/client';
import { takenOver, toggled, withLinks, type Link, type Spec } from './links';

export interface TopologyDraft {
  names: readonly string[];
  spec: Spec;
}
const PREVIEW_AFTER_MS = 200;

export function useTopology(start: TopologyDraft) {
  const [past, setPast] = useState<readonly TopologyDraft[]>([]);
  const [draft, setDraft] = useState(start);
  const preview = usePreview(draft);
  const links: readonly Link[] =
    draft.spec.kind === 'custom' ? (draft.spec.links ?? []) : (preview.data?.links ?? []);

  const change = (next: TopologyDraft) => {
    setPast([...past, draft]);
    setDraft(next);
  };
  return {
    draft,
    links,
    preview,
    canUndo: past.length > 0,
    undo: () => {
      const last = past.at(-1);
      if (!last) return;
      setPast(past.slice(0, -1));
      setDraft(last);
    },
    reset: (next: TopologyDraft) => {
      setPast([]);
      setDraft(next);
    },
    setSites: (names: readonly string[]) =>
      change({ names, spec: takenOver(draft.spec, draft.names, names) }),
    setSpec: (spec: Spec) => change({ ...draft, spec }),
    toggle: (a: string, b: string) => change({ ...draft, spec: withLinks(draft.spec, toggled(links, a, b)) }),
  };
}

export type Topology = ReturnType<typeof useTopology>;

function usePreview(draft: TopologyDraft) {
  const [settled] = useDebouncedValue(draft, PREVIEW_AFTER_MS);
  return useQuery({
    queryKey: ['topology preview', settled],
    enabled: settled.names.length >= 2,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    queryFn: async (): Promise<Schemas['Preview']> => {
      const { data, error } = await http.POST('/api/v1/topologies/preview', {
        body: { site_names: [...settled.names], spec: settled.spec },
      });
      if (!data) throw error;
      return data;
    },
  });
}
