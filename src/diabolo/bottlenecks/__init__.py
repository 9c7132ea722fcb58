"""bottlenecks"""
