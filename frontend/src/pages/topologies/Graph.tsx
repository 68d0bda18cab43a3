/* The graph: drag a site, choose two sites to link or unlink them. Each site is a button, so Tab and Enter do
   the same as the mouse. Many sites are numbered there and named below. Loaded only where a topology is shown. */
import '@xyflow/react/dist/style.css';
import {
  applyNodeChanges,
  Background,
  Handle,
  Position,
  ReactFlow,
  type Edge,
  type Node,
  type NodeChange,
  type NodeProps,
} from '@xyflow/react';
import { createContext, useContext, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '../../i18n/useFormats';
import { NARROW } from '../../layout/useNarrow';
import { areNumbered, placesOf } from './places';
import { neighbours, type Link } from './links';

interface Props {
  names: readonly string[];
  shown: (name: string) => string;
  links: readonly Link[];
  onToggle?: (a: string, b: string) => void;
}
type SiteNode = Node<{ name: string }, 'site'>;
interface Picking extends Omit<Props, 'names'> {
  picked: string | null;
  pick: (name: string) => void;
  /** The number that stands for each site; empty where names do. */
  numbers: ReadonlyMap<string, number>;
}
const Context = createContext<Picking | null>(null);
// A place is that of the middle of a name, however long the name is.
const MIDDLE: [number, number] = [0.5, 0.5];
const NODE_TYPES = { site: SiteButton };

export default function Graph(props: Props) {
  // Other sites, another circle: what was dragged belonged to the old one.
  return <Canvas key={props.names.join(' ')} {...props} />;
}

function Canvas({ names, shown, links, onToggle }: Props) {
  const { t } = useTranslation();
  const [picked, setPicked] = useState<string | null>(null);
  const [narrow] = useState(() => window.matchMedia(NARROW).matches);
  const [nodes, setNodes] = useState(() => arranged(names, narrow));
  const numbered = areNumbered(names.length, narrow);
  const numbers = useMemo(
    () => new Map(numbered ? names.map((name, at) => [name, at + 1]) : []),
    [names, numbered],
  );
  const edges = useMemo<Edge[]>(
    () =>
      links.map((link) => ({
        id: `${link.a} ${link.b}`,
        source: link.a,
        target: link.b,
        type: 'straight',
        focusable: false,
        selectable: onToggle !== undefined,
        interactionWidth: 22,
      })),
    [links, onToggle],
  );
  const pick = (name: string) => {
    if (!onToggle) return;
    if (picked === null) setPicked(name);
    else {
      if (picked !== name) onToggle(picked, name);
      setPicked(null);
    }
  };
  const move = (changes: NodeChange<SiteNode>[]) => setNodes((known) => applyNodeChanges(changes, known));
  return (
    <Context.Provider value={{ shown, links, picked, pick, numbers, ...(onToggle ? { onToggle } : {}) }}>
      <div className="aw-graph" role="group" aria-label={t('ui.topology.graph')}>
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          onNodesChange={move}
          onEdgeClick={(_, edge) => onToggle?.(edge.source, edge.target)}
          onPaneClick={() => setPicked(null)}
          nodesFocusable={false}
          edgesFocusable={false}
          nodesConnectable={false}
          elementsSelectable={onToggle !== undefined}
          deleteKeyCode={null}
          zoomOnScroll={false}
          preventScrolling={false}
          minZoom={0.1}
          nodeOrigin={MIDDLE}
          fitView
          fitViewOptions={{ padding: 0.03, maxZoom: 1 }}
          proOptions={{ hideAttribution: true }}
        >
          <Background gap={22} />
        </ReactFlow>
      </div>
      {numbered ? (
        <ol className="aw-numbered" aria-label={t('ui.nav.sites')}>
          {names.map((name) => (
            <li key={name}>{shown(name)}</li>
          ))}
        </ol>
      ) : null}
      {onToggle ? (
        <p className="aw-soft aw-small" role="status">
          {picked === null
            ? t('ui.topology.pick_first')
            : t('ui.topology.pick_second', { name: shown(picked) })}
        </p>
      ) : null}
    </Context.Provider>
  );
}

function SiteButton({ data: { name } }: NodeProps<SiteNode>) {
  const { t } = useTranslation();
  const formats = useFormats();
  const picking = useContext(Context);
  if (!picking) return null;
  const linked = neighbours(picking.links, name).map(picking.shown);
  const number = picking.numbers.get(name);
  const said =
    linked.length === 0
      ? t('ui.topology.site_alone', { name: picking.shown(name) })
      : t('ui.topology.site_linked', { name: picking.shown(name), names: formats.list(linked) });
  return (
    <>
      <Handle type="target" position={Position.Top} className="aw-handle" isConnectable={false} />
      <button
        type="button"
        className={number === undefined ? 'aw-node' : 'aw-node aw-node-number'}
        aria-pressed={picking.picked === name}
        aria-label={number === undefined ? said : `${formats.number(number)} ${said}`}
        title={picking.shown(name)}
        disabled={!picking.onToggle}
        onClick={() => picking.pick(name)}
      >
        {number === undefined ? picking.shown(name) : formats.number(number)}
      </button>
      <Handle type="source" position={Position.Top} className="aw-handle" isConnectable={false} />
    </>
  );
}

function arranged(names: readonly string[], narrow: boolean): SiteNode[] {
  const places = placesOf(names.length, narrow);
  return names.map((name, at) => ({
    id: name,
    type: 'site' as const,
    data: { name },
    position: places[at] ?? { x: 0, y: 0 },
  }));
}
