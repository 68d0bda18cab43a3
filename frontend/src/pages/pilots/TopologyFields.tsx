/* The topology of a pilot: a preset, a saved one for the same sites, or links of its own. */
import { Select } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { http } from '../../api/client';
import { useAll } from '../../api/useAll';
import { Note } from '../../components/Answer';
import { Panel } from '../../components/Page';
import { useSiteNames } from '../sites/useSiteNames';
import { TopologyEditor } from '../topologies/Editor';
import { takenOver } from '../topologies/links';
import type { Topology } from '../topologies/useTopology';
import type { Fields } from '../../components/fields';

export function TopologyFields({ topology, fields }: { topology: Topology; fields: Fields }) {
  const { t } = useTranslation();
  const sites = useSiteNames();
  const saved = useAll('/api/v1/topologies', (query) =>
    http.GET('/api/v1/topologies', { params: { query } }),
  );
  const [taken, setTaken] = useState<string | null>(null);
  const { id, error: problem } = fields.at('spec.topology');
  const { names } = topology.draft;
  const take = (id: string | null) => {
    const found = saved.data?.items.find((one) => one.id === id);
    if (!found) return;
    setTaken(id);
    topology.setSpec(takenOver(found.spec, found.site_names, names));
  };
  return (
    <Panel title={t('ui.new.topology')}>
      <p className="aw-soft aw-small">{t('ui.new.topology_help')}</p>
      {problem ? (
        <div id={id} tabIndex={-1} className="aw-quiet-focus">
          <Note tone="bad" icon="warn">
            {problem}
          </Note>
        </div>
      ) : null}
      {(saved.data?.items.length ?? 0) > 0 ? (
        <Select
          mb="md"
          maw={420}
          label={t('ui.new.saved_topology')}
          placeholder={t('ui.new.saved_topology_choose')}
          data={(saved.data?.items ?? []).map((one) => ({ value: one.id, label: one.name }))}
          value={taken}
          onChange={take}
        />
      ) : null}
      {names.length >= 2 ? (
        <TopologyEditor
          topology={topology}
          shown={sites.shown}
          at={(option) => fields.at(`spec.topology.${option}`)}
        />
      ) : null}
    </Panel>
  );
}
