SELECT tags FROM ff_flow_core WHERE flow_id = $1
