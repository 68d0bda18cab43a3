import { createBrowserRouter } from 'react-router';
import { Shell } from '../layout/Shell';
import { HelpPage } from '../pages/help/HelpPage';
import { HomePage } from '../pages/home/HomePage';
import { PilotPage } from '../pages/pilots/PilotPage';
import { PilotsPage } from '../pages/pilots/PilotsPage';
import { NewPilotPage } from '../pages/pilots/NewPilotPage';
import { RunPage } from '../pages/runs/RunPage';
import { RunsPage } from '../pages/runs/RunsPage';
import { SettingsPage } from '../pages/settings/SettingsPage';
import { SignInPage } from '../pages/sign-in/SignInPage';
import { SitePage } from '../pages/sites/SitePage';
import { SitesPage } from '../pages/sites/SitesPage';
import { TopologiesPage } from '../pages/topologies/TopologiesPage';
import { TopologyPage } from '../pages/topologies/TopologyPage';
import { CrashPage, NotFoundPage } from './EndPages';
import { RequireSession } from './RequireSession';

export function makeRouter() {
  return createBrowserRouter([
    { path: '/sign-in', element: <SignInPage />, errorElement: <CrashPage /> },
    {
      element: (
        <RequireSession>
          <Shell />
        </RequireSession>
      ),
      errorElement: <CrashPage />,
      children: [
        {
          errorElement: <CrashPage />,
          children: [
            { index: true, element: <HomePage /> },
            { path: 'sites', element: <SitesPage /> },
            { path: 'sites/new', element: <SitePage /> },
            { path: 'sites/:id', element: <SitePage /> },
            { path: 'topologies', element: <TopologiesPage /> },
            { path: 'topologies/new', element: <TopologyPage /> },
            { path: 'topologies/:id', element: <TopologyPage /> },
            { path: 'pilots', element: <PilotsPage /> },
            { path: 'pilots/new', element: <NewPilotPage /> },
            { path: 'pilots/:id', element: <PilotPage /> },
            { path: 'pilots/:id/edit', element: <NewPilotPage /> },
            { path: 'runs', element: <RunsPage /> },
            { path: 'runs/:id', element: <RunPage /> },
            { path: 'settings', element: <SettingsPage /> },
            { path: 'help', element: <HelpPage /> },
            { path: '*', element: <NotFoundPage /> },
          ],
        },
      ],
    },
  ]);
}
